"""RunAgent's function, unchanged, before a running gate. Reads the ready line's members from standard input; prints how
many requests were answered as they have to be."""

import json
import sys
import urllib.error
import urllib.request

from runagent import sign_request

ready = json.load(sys.stdin)
count = 0


def expect(status, code, method, path, body, headers):
    global count
    request = urllib.request.Request(ready["url"] + path, data=body.encode() or None, method=method, headers=headers)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read().decode()
    assert answer.status == status and code in text, f"{answer.status}, not {status} {code}: {text}"
    count += 1


for name in ["signed_v1", "signed_only"]:
    key = ready["keys"][name]
    credential = {"Authorization": "Bearer " + key} if name == "signed_v1" else {"X-Key-Id": key.split("_")[-2]}
    for method, path, body in [
        ("GET", "/v1/agents", ""),
        ("GET", "/v1/agents?page=2&q=a%20b", ""),
        ("POST", "/v1/agents", json.dumps({"name": "x"})),
        ("POST", "/v1/agents?by=" + name, '{"name": "café",\r\n "n": 1.0}'),
    ]:
        headers = credential | sign_request(method, path, body, ready["signing"][name])
        expect(401, "INVALID_SIGNATURE", method, path + "&x=1" if "?" in path else path + "?x=1", body, headers)
        expect(200, "", method, path, body, headers)
        again = (200, "") if method == "GET" else (401, "REPLAYED_REQUEST")
        expect(*again, method, path, body, headers)
print(count)
