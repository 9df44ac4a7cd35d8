"""Packs a folder so that the same files give the same bytes: archive.py FOLDER FILE

The names are in order, nobody owns anything, and everything is as old as SOURCE_DATE_EPOCH says. FILE is a .tar.gz or .tgz with the
folder itself in it, or a .mcpb, a ZIP archive of what is in the folder.
"""

import gzip
import os
import pathlib
import sys
import tarfile
import time
import zipfile

# As new as the newest thing that is packed, or there would be other bytes each time.
TIME = int(os.environ["SOURCE_DATE_EPOCH"])

# The year 1980, where ZIP's clock begins.
OLDEST_ZIP = 315532800

# Of zlib. 9 takes twice as long, for one hundredth less.
LEVEL = 6


def mode(path):
    """Who may do what: not what happens to be allowed in this checkout, but for what may be run."""
    return 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644


def files(folder):
    paths = sorted(folder.rglob("*"))
    if links := [path for path in paths if path.is_symlink()]:
        raise SystemExit(f"deploy/dist: {links[0]} is a link, and not everybody can unpack one")
    return paths


def tar(folder, file):
    with open(file, "wb") as raw, gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path in [folder, *files(folder)]:
                entry = tarfile.TarInfo(str(path.relative_to(folder.parent)))
                entry.mode, entry.mtime = mode(path), TIME
                if path.is_dir():
                    entry.type = tarfile.DIRTYPE
                    archive.addfile(entry)
                else:
                    entry.size = path.stat().st_size
                    with open(path, "rb") as content:
                        archive.addfile(entry, content)


def zip(folder, file):
    with zipfile.ZipFile(file, "w") as archive:
        for path in files(folder):
            if path.is_file():
                entry = zipfile.ZipInfo(str(path.relative_to(folder)), time.gmtime(max(TIME, OLDEST_ZIP))[:6])
                entry.compress_type, entry.create_system, entry.external_attr = (
                    zipfile.ZIP_DEFLATED,
                    3,
                    (0o100000 | mode(path)) << 16,
                )
                archive.writestr(entry, path.read_bytes(), compresslevel=LEVEL)


folder, file = pathlib.Path(sys.argv[1]), sys.argv[2]
zip(folder, file) if file.endswith(".mcpb") else tar(folder, file)
