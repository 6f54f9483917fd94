"""From the paths that somebody gave to the exports behind them: files, folders, folders of folders, archives.

Knows nothing of what is inside an export; it goes by names, as the programs that export chose them.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from ingest.places import Place, is_zip, members, unreadable
from twin.console import printable
from twin.errors import IngestError

AGAIN = "export again from Telegram Desktop in the format JSON"
# result.json, as browsers and people rename it; WhatsApp's chats, by what all its languages have in common.
_EXPORT = re.compile(r"result[^/]*\.json|_chat[^/]*\.txt|[^/]*whatsapp[^/]*\.txt", re.IGNORECASE)
_LINES = re.compile(r"[^/]+\.(?:jsonl|ndjson)", re.IGNORECASE)
_HTML = re.compile(r"(?:messages\d*|export_results)\.html", re.IGNORECASE)
_EXPORT_FOLDER = re.compile(r"(?:ChatExport|DataExport|WhatsApp)", re.IGNORECASE)
_DEEPEST = 4
_NOISE = {"__MACOSX"}

Found = Place | IngestError


def find(paths: Iterable[Path]) -> list[Found]:
    """Each export once, in the order given; a path behind which there is none stands as the error that says so."""
    found: list[Found] = []
    seen: set[tuple[Path, str]] = set()
    for path in (each for given in paths for each in _expand(given)):
        try:
            places: list[Found] = list(_behind(path))
        except IngestError as error:
            places = [error]
        except OSError as error:
            places = [unreadable(path, error)]
        for place in places:
            if isinstance(place, Place):
                key = (place.path.resolve(), place.part)
                if key in seen:
                    continue
                seen.add(key)
            found.append(place)
    return found


def _expand(path: Path) -> list[Path]:
    """A pattern such as `ChatExport_*`, where no shell has expanded it."""
    if glob.has_magic(str(path)) and not path.exists():
        return [Path(name) for name in sorted(glob.glob(str(path)))] or [path]  # noqa: PTH207 - keeps relative paths
    return [path]


def _behind(path: Path) -> Iterator[Found]:
    if not path.exists():
        raise IngestError(f"There is no file {printable(str(path))}", "check the path")
    if path.is_dir():
        yield from _in_folder(path)
    elif is_zip(path) or _is_called_zip(path):
        yield from _in_archive(path)
    else:
        yield Place(path)


def _in_folder(folder: Path) -> Iterator[Found]:
    found = list(_walk(folder, 0))
    if not found:
        raise IngestError(
            f"There is no result.json in {printable(str(folder))}", "give the folder that Telegram Desktop wrote"
        )
    yield from found


def _walk(folder: Path, depth: int) -> Iterator[Found]:
    """An export's own folders hold what people sent one another; only folders of exports are entered below it."""
    inside = sorted(folder.iterdir())
    files = [path for path in inside if path.is_file() and not path.name.startswith(".")]
    is_export = any(_EXPORT.fullmatch(path.name) for path in files)
    is_html = not is_export and any(_HTML.fullmatch(path.name) for path in files)
    if is_html:
        yield _html(folder)
    for path in files:
        if _EXPORT.fullmatch(path.name) or _LINES.fullmatch(path.name):
            yield Place(path)
        elif _is_called_zip(path) and not is_export and not is_html:
            yield from _if_export(path)
    for path in inside:
        is_open = not (is_export or is_html) or _EXPORT_FOLDER.match(path.name)
        if is_open and depth < _DEEPEST and not path.name.startswith(".") and path.is_dir() and not path.is_symlink():
            yield from _walk(path, depth + 1)


def _if_export(path: Path) -> Iterator[Found]:
    """An archive that lies in a folder: others than exports are nobody's concern."""
    try:
        yield from _in_archive(path)
    except IngestError as error:
        if _EXPORT_FOLDER.match(path.name):
            yield error


def _in_archive(path: Path) -> Iterator[Found]:
    """What lies in an export's own folders inside an archive was sent by people, and is none."""
    every = [(PurePosixPath(info.filename.replace("\\", "/")), info) for info in members(path)]
    every = [(name, info) for name, info in every if not _NOISE & set(name.parts) and not name.name.startswith(".")]
    found = [(name, info) for name, info in every if _EXPORT.fullmatch(name.name) or _LINES.fullmatch(name.name)]
    roots = {name.parent for name, _ in found}
    found = [
        (name, info)
        for name, info in found
        if _EXPORT_FOLDER.match(name.parent.name) or not roots & set(name.parent.parents)
    ]
    if not found and any(_HTML.fullmatch(name.name) for name, _ in every):
        raise _html(path)
    if not found:
        raise IngestError(
            f"There is no result.json in {printable(str(path))}",
            "give the archive of a folder that Telegram Desktop wrote",
        )
    yield from (Place(path, info) for _, info in found)


def _is_called_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _html(path: Path) -> IngestError:
    return IngestError(f"{printable(str(path))} is an HTML export", f"{AGAIN} instead of HTML")
