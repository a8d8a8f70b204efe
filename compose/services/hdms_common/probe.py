"""python -m hdms_common.probe URL: the health check of a container, which has no curl. Exits 0 on 200."""

import sys
import urllib.error
import urllib.request

SECONDS = 8


def probe(url):
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


if __name__ == "__main__":
    status, text = probe(sys.argv[1])
    print(text[:4000])
    sys.exit(0 if status == 200 else 1)
