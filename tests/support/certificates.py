"""A throwaway CA with one server certificate (localhost, 127.0.0.1), made by openssl when a test asks."""

import pathlib
import ssl
import subprocess


class Certificates:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.ca = self.directory / "ca.crt"
        self.certificate = self.directory / "server.crt"
        self.key = self.directory / "server.key"
        self._make_ca()
        self._make_server_certificate()

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=self.directory)

    def _make_ca(self):
        self._openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            self.ca,
            "-days",
            "2",
            "-subj",
            "/CN=test ca",
        )

    def _make_server_certificate(self):
        extensions = self.directory / "extensions.cnf"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._openssl(
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            self.key,
            "-out",
            "server.csr",
            "-subj",
            "/CN=localhost",
        )
        self._openssl(
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            self.ca,
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-out",
            self.certificate,
            "-extfile",
            extensions,
        )

    def client_context(self):
        return ssl.create_default_context(cafile=str(self.ca))
