"""The requests of ElegantOTA's upload from PlatformIO, one by one, made with python-requests as its script makes them.

Our own words: https://github.com/ayushsharma82/ElegantOTA documents the steps. Arguments: URL, password, file; prints what
the plug answered. With a fourth argument the MD5 that is announced is that one.
"""

import hashlib
import sys

import requests
from requests.auth import HTTPDigestAuth

BOUNDARY = "b6a9f2c1d0e84c7f9a3b5d6e7f801234"


class Form:
    """A text part `MD5`, then the file, as a stream: requests reads it piece by piece and asks for its length."""

    def __init__(self, md5, firmware):
        text = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="MD5"\r\n\r\n{md5}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="firmware"; filename="firmware"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self.left = text.encode() + firmware + f"\r\n--{BOUNDARY}--\r\n".encode()
        self.length = len(self.left)

    def __len__(self):
        return self.length

    def read(self, size=-1):
        size = len(self.left) if size < 0 else size
        piece, self.left = self.left[:size], self.left[size:]
        return piece


def main(url, password, path, announced=None):
    with open(path, "rb") as file:
        firmware = file.read()
    md5 = hashlib.md5(firmware).hexdigest()
    host = url.split("//", 1)[1]
    headers = {
        "Host": host,
        "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/118.0",
        "Accept": "*/*",
        "Accept-Language": "de,en-US;q=0.7,en;q=0.3",
        "Accept-Encoding": "gzip, deflate",
        "Referer": f"{url}/update",
        "Connection": "keep-alive",
    }

    # Whether it wants a password: seen by the page, which this client does not ask for as HTML.
    asked = requests.get(f"{url}/update", timeout=20)
    print("asked", asked.status_code)
    auth = HTTPDigestAuth("admin", password) if asked.status_code == 401 else None

    start = requests.get(
        f"{url}/ota/start?mode=fr&hash={announced or md5}", headers=headers, auth=auth, timeout=20
    )
    print("start", start.status_code, start.text)
    if start.status_code != 200:
        return

    # One object for both requests: the second one goes out signed at once, with the same nonce.
    form = Form(md5, firmware)
    more = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(form)),
        "Origin": url,
    }
    sent = []
    upload = requests.post(
        f"{url}/ota/upload",
        headers=headers | more,
        data=form,
        auth=auth,
        timeout=60,
        hooks={"response": lambda answer, *_, **__: sent.append(answer.request.headers["Authorization"])},
    )
    count = sent[0].split("nc=")[1].split(",")[0] if sent else "none"
    print("upload", upload.status_code, upload.text, f"nc={count}", f"requests={len(sent)}")


main(*sys.argv[1:])
