import Algebra
import Canonical
import Custody
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// A page on which a developer signs calls of the MPC administration face by hand. The API secret
/// stays in the browser, which computes the API key and the signatures of it.
enum PlaygroundPage {
    static func add(to router: Router<GatewayContext>, _ endpoints: [AdminEndpoint]) {
        let page = html(endpoints)
        let policy =
            "default-src 'none'; script-src '\(hash(script))'; style-src '\(hash(style))'; "
            + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        router.get("playground") { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8", .contentSecurityPolicy: policy,
                ], body: .init(byteBuffer: ByteBuffer(string: page)))
        }
    }

    /// As a content security policy names what stands in the page itself.
    private static func hash(_ text: String) -> String {
        "sha256-" + Data(Digest.sha256(Array(text.utf8)).bytes).base64EncodedString()
    }

    static func html(_ endpoints: [AdminEndpoint]) -> String {
        let paths = endpoints.filter { $0.method == .get && $0.work != nil }.map {
            "<option value=\"/v2/\($0.path)\">\($0.name)</option>"
        }
        return """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Quorumkeep playground</title>
            <style>\(style)</style>
            <main>
            <h1>Playground</h1>
            <p>Signs GET requests to <code>/v2</code> with an API secret of Ed25519. The secret
            stays in this page: it is not sent, and not stored. Take one of a test environment.</p>
            <p id="missing" hidden>This browser has no Ed25519 in its WebCrypto, or the page came
            over plain HTTP from another machine, where browsers offer none. Use a newer browser, or
            HTTPS.</p>
            <label for="secret">API secret, 64 hexadecimal digits</label>
            <input id="secret" type="password" autocomplete="off" spellcheck="false" maxlength="64">
            <p>API key: <output id="key">–</output></p>
            <label for="path">Path, with its query</label>
            <input id="path" list="paths" value="/v2/organizations/info" spellcheck="false"
            autocomplete="off" maxlength="2048">
            <datalist id="paths">\(paths.joined())</datalist>
            <p><button id="send" disabled>Sign and send</button> <span id="problem"></span></p>
            <h2>Request</h2>
            <pre id="request">–</pre>
            <h2>Answer</h2>
            <pre id="answer">–</pre>
            <p>How requests are signed stands in <code>docs/api/mpc-admin.md</code>.</p>
            </main>
            <script>\(script)</script>
            </html>

            """
    }

    private static let style = """
        :root { color-scheme: light dark; }
        body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
        main { max-width: 48rem; margin: 0 auto; padding: 1rem; }
        label { display: block; margin-top: 1rem; }
        input { width: 100%; box-sizing: border-box; padding: .4rem; }
        input, output, pre, code { font: .9rem ui-monospace, monospace; }
        output { overflow-wrap: anywhere; }
        pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #8886;
            padding: .6rem; max-height: 24rem; overflow: auto; }
        button { padding: .4rem 1rem; }
        #problem, #missing { color: #b3261e; }
        @media (prefers-color-scheme: dark) { #problem, #missing { color: #ffb4ab; } }
        """

    private static let script = """
        'use strict';
        const at = id => document.getElementById(id);
        const digits = byte => byte.toString(16).padStart(2, '0');
        const hex = bytes => Array.from(new Uint8Array(bytes), digits).join('');
        const bytes = text => Uint8Array.from(text.match(/../g), pair => parseInt(pair, 16));
        const sha256 = data => crypto.subtle.digest('SHA-256', data);
        let pair = null;

        async function read(secret) {
          // PKCS 8 around the 32 bytes of an Ed25519 secret (RFC 8410).
          const form = bytes('302e020100300506032b657004220420' + secret);
          const key = await crypto.subtle.importKey('pkcs8', form, 'Ed25519', true, ['sign']);
          const x = (await crypto.subtle.exportKey('jwk', key)).x;
          const text = atob(x.replace(/-/g, '+').replace(/_/g, '/'));
          return { key, name: hex(Uint8Array.from(text, c => c.charCodeAt(0))) };
        }

        async function changed() {
          const secret = at('secret').value.trim();
          let found = null;
          at('problem').textContent = '';
          if (/^[0-9a-fA-F]{64}$/.test(secret)) {
            try { found = await read(secret); } catch { at('missing').hidden = false; }
          } else if (secret !== '') {
            at('problem').textContent = 'A secret has 64 hexadecimal digits.';
          }
          if (at('secret').value.trim() !== secret) return;
          pair = found;
          at('key').textContent = pair ? pair.name : '–';
          at('send').disabled = !pair;
        }

        async function send() {
          const url = new URL(at('path').value, location.origin);
          if (url.origin !== location.origin || !url.pathname.startsWith('/v2/')) {
            at('problem').textContent = 'A path begins with /v2/.';
            return;
          }
          at('problem').textContent = '';
          const nonce = String(Date.now());
          const signed = ['GET', url.pathname, nonce, url.search.slice(1), ''].join('|');
          const digest = await sha256(await sha256(new TextEncoder().encode(signed)));
          const signature = hex(await crypto.subtle.sign('Ed25519', pair.key, digest));
          const headers = {
            'BIZ-API-KEY': pair.name, 'BIZ-API-NONCE': nonce, 'BIZ-API-SIGNATURE': signature };
          at('request').textContent = 'GET ' + url.pathname + url.search + '\\n'
            + Object.entries(headers).map(([name, value]) => name + ': ' + value).join('\\n')
            + '\\n\\nsigned: SHA-256 of SHA-256 of\\n' + signed + '\\n' + hex(digest);
          const answer = await fetch(url, { headers, credentials: 'omit', redirect: 'error' });
          const text = await answer.text();
          let shown = text;
          try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { }
          const line = name => name + ': ' + answer.headers.get(name) + '\\n';
          at('answer').textContent = answer.status + '\\n'
            + line('BIZ-TIMESTAMP') + line('BIZ-RESP-SIGNATURE')
            + '\\n' + shown;
        }

        at('secret').addEventListener('input', changed);
        at('send').addEventListener('click', () => send().catch(error => {
          at('problem').textContent = String(error);
        }));
        if (!globalThis.crypto || !crypto.subtle) at('missing').hidden = false;
        """
}
