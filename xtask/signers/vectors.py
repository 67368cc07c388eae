"""The Python of docs/signatures.md on the vectors: the same headers, byte for byte."""

import base64
import json
import sys

import sign

count = 0
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    for case in vectors["cases"]:
        signed, request = case.get("signed"), case["request"]
        if not signed or not signed["reproducible"]:
            continue
        url = f"{request['scheme']}://{request['host']}{request['target']}"
        body = base64.b64decode(request.get("body", ""))
        headers = {name.lower(): value for name, value in request["headers"]}
        options = {"secret": signed["secret"], "now": signed["created"], "nonce": signed.get("nonce")}
        if vectors["version"] == "v1":
            own = sign.sign_v1(request["method"], url, body, **options)
        else:
            options["lifetime"] = signed["expires"] - signed["created"]
            options["content_type"] = headers.get("content-type")
            options["key_id"] = vectors["keys"][case["key"]]["kid"]
            own = sign.sign_v2(request["method"], url, body, **options)
        expected = dict(map(tuple, signed["headers"]))
        assert own == expected, f"{vectors['version']} {case['id']}: {own}, not {expected}"
        count += 1
print(count)
