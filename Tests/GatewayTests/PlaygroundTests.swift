import Algebra
import Canonical
import Foundation
import HTTPTypes
import Testing

@testable import Gateway

@Suite struct `The playground` {
    @Test func `is one page, whose policy admits its own script and style and nothing else`()
        async throws
    {
        let face = try await Face()
        let answer = try await face.raw("GET", "/playground", [:], [])
        #expect(answer.status == 200)
        #expect(answer.headers[.contentType] == "text/html; charset=utf-8")
        let page = String(decoding: answer.bytes, as: UTF8.self)
        let policy = try #require(answer.headers[.contentSecurityPolicy])
        for tag in ["script", "style"] {
            let inside = page.split(separator: "<\(tag)>")[1].split(separator: "</\(tag)>")[0]
            let digest = Digest.sha256(Array(inside.utf8)).bytes
            let hash = "sha256-" + Data(digest).base64EncodedString()
            #expect(policy.contains("\(tag)-src '\(hash)'"))
        }
        #expect(policy.hasPrefix("default-src 'none'") && !policy.contains("unsafe"))
        #expect(!page.contains("http://") && !page.contains("https://"))
        #expect(page.contains("<option value=\"/v2/organizations/info\">"))
    }
}
