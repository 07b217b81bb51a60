#!/usr/bin/env bash
# A toy shop with curl and openssl: a customer pays in, the shop hears of it by asking, and pays out.
set -euo pipefail

stack=${QUORUMKEEP_STACK:-.quorumkeep-dev/dev.json}
api=$(jq -r .custody.url "$stack")
key=$(jq -r '.tenants[0].keys.hmac.keyId' "$stack")
secret=$(jq -r '.tenants[0].keys.hmac.secret' "$stack")
chain=$(jq -r .chains.evm.rpcUrl "$stack")

fail() { echo "toy shop: $*" >&2; exit 1; }

# call METHOD PATH [BODY [OPTIONS OF CURL]]: a signed request; prints the answer, fails on a refusal.
call() {
  local method=$1 path=$2 body=${3-} now nonce hash signature
  shift $(($# < 3 ? $# : 3))
  now=$(date +%s)
  nonce=$(openssl rand -hex 12)
  hash=$(printf '%s' "$body" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
  # The path is signed as it is sent, with the prefix /v1 and the query.
  signature=$(printf '%s\n%s\n/v1%s\n%s\n%s' "$now" "$method" "$path" "$hash" "$nonce" |
    openssl dgst -sha256 -hmac "$secret" -r | cut -d ' ' -f 1)
  [ -z "$body" ] || set -- -H 'Content-Type: application/json' --data-binary "$body" "$@"
  # Headers come by standard input, so that nobody sees them in the list of processes.
  printf 'X-API-Key: %s\nX-Timestamp: %s\nX-Nonce: %s\nX-Signature: %s\n' \
    "$key" "$now" "$nonce" "$signature" |
    curl -sS --fail-with-body --max-time 15 -X "$method" -H @- "$@" "$api$path"
}

# wait_for PATH FILTER: asks until jq finds the filter true, and prints the answer.
wait_for() {
  local answer
  for _ in $(seq 120); do
    answer=$(call GET "$1")
    if jq -e "$2" <<<"$answer" >/dev/null; then
      echo "$answer"
      return
    fi
    sleep 0.5
  done
  fail "$1 did not become: $2"
}

# A customer has a vault, named by the shop's own id for the customer, and in it a wallet for each
# asset. Asked for again, the same vault comes back: nothing is doubled by a second try.
order=$(openssl rand -hex 4)
vault=$(call POST /vaults '{"externalId":"customer-'"$order"'","name":"A customer"}')
wallet=$(call POST "/vaults/$(jq -r .id <<<"$vault")/wallets" '{"assetId":"ETH"}')
wallet_id=$(jq -r .id <<<"$wallet")
address=$(jq -r .depositAddress <<<"$wallet")
echo "order $order: please pay 3 ETH to $address"

# The customer pays. Here the simulated chain's faucet does.
curl -sS --fail-with-body -H 'Content-Type: application/json' "$chain" --data '{"jsonrpc":"2.0",
  "id":1,"method":"anvil_setBalance","params":["'"$address"'","3000000000000000000"]}' >/dev/null

# The shop hears of it by asking for deposits that are final. It takes each by its id, once.
deposits="/transactions?walletId=$wallet_id&type=Deposit&status=Completed"
deposit=$(wait_for "$deposits" '.items | length == 1' | jq '.items[0]')
echo "order $order: paid by deposit $(jq -r '.id + ", " + .amount + " ETH"' <<<"$deposit")"

# Payouts go to addresses of the address book alone; an entry may have to cool before it is active.
# (This address is of digits alone, so that it has no letters whose case is a checksum.)
destination=0x$(openssl rand -hex 80 | tr -d 'a-f\n' | cut -c 1-40)
entry=$(call POST /address-book '{"network":"eip155:31337","address":"'"$destination"'",
  "label":"Customer","externalId":"payout-address-'"$order"'"}')
entry_id=$(jq -r .id <<<"$entry")
wait_for "/address-book/$entry_id" '.status == "Active"' >/dev/null

# The external id is the shop's own name for the payout: it is never paid twice, however often it is
# asked for. The idempotency key gives a repeated request the first one's answer.
payout='{"sourceWalletId":"'"$wallet_id"'","addressBookEntryId":"'"$entry_id"'","amount":"1.25",
  "externalId":"payout-'"$order"'"}'
first=$(call POST /transactions/withdraw "$payout" -H "Idempotency-Key: payout-$order")
again=$(call POST /transactions/withdraw "$payout" -H "Idempotency-Key: payout-$order")
payout_id=$(jq -r .id <<<"$first")
[ "$payout_id" = "$(jq -r .id <<<"$again")" ] || fail "two withdrawals for one payout"
echo "order $order: payout $payout_id is $(jq -r .status <<<"$first")"

# It ends Completed, Failed or Cancelled; until then `waitingFor` says what it waits for.
ended='.status | IN("Completed", "Failed", "Cancelled")'
payout=$(wait_for "/transactions/$payout_id" "$ended")
[ "$(jq -r .status <<<"$payout")" = Completed ] || fail "the payout failed: $payout"
echo "order $order: paid out in $(jq -r '.txHash + " for a fee of " + .fee' <<<"$payout")"

echo "order $order: left are $(call GET "/wallets/$wallet_id" | jq -r .balance.available) ETH"
