"""Zip archives, which .keras and .pt files are, read no further than their size allows."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Generator

from genewright.backends.files.bounds import check_size
from genewright.errors import FileError

_LOCAL_HEADER = 30  # bytes before a member's name


def members_of(data: bytes, place: str) -> dict[str, bytes]:
    """Return the members of an archive.

    Raises:
        FileError: It is damaged, or a bomb.
    """
    with _opened(data, place) as archive:
        return {info.filename: _read(archive, info) for info in archive.infolist() if not info.is_dir()}


def sizes_of(data: bytes, place: str) -> dict[str, tuple[int, int]]:
    """Return (start, size) of the members of an archive that packs nothing, as torch writes it.

    Raises:
        FileError: It is damaged, packs a member, or its members lie over each other.
    """
    found: dict[str, tuple[int, int]] = {}
    with _opened(data, place) as archive:
        end = 0
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise ValueError(f"{info.filename!r} is packed, which torch does not do")
            name, extra = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
            start = info.header_offset + _LOCAL_HEADER + name + extra
            if info.header_offset < end or data[info.header_offset : info.header_offset + 4] != b"PK\x03\x04":
                raise ValueError(f"{info.filename!r} lies over another member")
            end = start + info.file_size
            found[info.filename] = start, info.file_size
        if end > archive.start_dir or (found and min(i.header_offset for i in archive.infolist()) != 0):
            raise ValueError("its members do not lie where it says")
    return found


@contextlib.contextmanager
def _opened(data: bytes, place: str) -> Generator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            check_size(sum(info.file_size for info in infos), len(data), place)
            if len({info.filename for info in infos}) != len(infos):
                raise ValueError("it has two members of one name")
            yield archive
    except FileError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, RuntimeError, EOFError) as error:
        raise FileError(f"{place}: is not a whole archive ({error}). It may be truncated: copy it again.") from error
    except (LookupError, ArithmeticError) as error:
        raise FileError(f"{place}: is not a whole archive ({error}). It may be truncated: copy it again.") from error


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename!r} is compressed in an unusual way")
    with archive.open(info) as member:
        found = member.read(info.file_size)  # not read(): that would unpack whatever comes, before it is cut off
        if len(found) != info.file_size or member.read(1):
            raise ValueError(f"{info.filename!r} is not as long as it says")
        return found
