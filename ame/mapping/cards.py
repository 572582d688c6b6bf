"""Model and data-set cards: what Hugging Face READMEs, Hub listings and Croissant files say of lineage and
licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ame import bounded_json
from ame.errors import FileError, InputError
from ame.mapping import licenses, names, strict_yaml
from ame.mapping.collector import paused_collector
from ame.mapping.hashing import hash_listing

MAX_CARD_BYTES = 4 * 2**20
DATASETS = "datasets/"  # as in the addresses of the Hub; models have no prefix
_DATASET_KEYS = {
    "annotations_creators",
    "configs",
    "dataset_info",
    "language_creators",
    "multilinguality",
    "size_categories",
    "source_datasets",
    "task_categories",
    "task_ids",
}
_MODEL_KEYS = {"base_model", "base_model_relation", "datasets", "library_name", "model-index", "pipeline_tag"}
_TEXT = {str}
# What `source_datasets` says besides the ids of data sets.
_NO_SOURCE = {"original", "other"}
_LICENSE_URLS = (
    (r"https?://spdx\.org/licenses/([\w.+-]+?)(?:\.html)?/?", "{0}"),
    (r"https?://choosealicense\.com/licenses/([\w.+-]+)/?", "{0}"),
    (r"https?://(?:www\.)?opensource\.org/licen[cs]es?/([\w.+-]+)/?", "{0}"),
    (r"https?://(?:www\.)?apache\.org/licenses/LICENSE-2\.0(?:\.txt|\.html)?", "Apache-2.0"),
    (r"https?://creativecommons\.org/publicdomain/zero/1\.0/?(?:deed\.\w+|legalcode)?", "CC0-1.0"),
    (r"https?://creativecommons\.org/licenses/([a-z-]+)/([\d.]+)/?(?:deed\.\w+|legalcode)?", "CC-{0}-{1}"),
    (r"https?://opendatacommons\.org/licenses/(odbl|by|pddl)/.*", "ODC:{0}"),
)
_ODC = {"ODC:odbl": "ODbL-1.0", "ODC:by": "ODC-By-1.0", "ODC:pddl": "PDDL-1.0"}


class CardGap(NamedTuple):
    """Something that a card leaves out, or says so that nobody knows what it means: in which line, in which words."""

    kind: str
    line: int
    words: str = ""


class Card(msgspec.Struct, frozen=True, gc=False):
    """What one card declares. `parents`: (asset id, relation)."""

    id: str
    stage: str
    license: str | None
    parents: tuple[tuple[str, str], ...]
    holders: tuple[str, ...]
    gaps: tuple[CardGap, ...]
    file: str
    line: int
    sha256: str | None = None
    title: str | None = None


def read_cards(path: Path, asset_id: str | None = None) -> list[Card]:
    """The cards of a README.md (Hugging Face), a .json (Croissant) or a .jsonl (Hub listing: id and
    cardData).

    `asset_id`: `org/model` or `datasets/org/name`; without it, the two folders above a README.md, or a
    Croissant's address.
    FileError where the card is too large, unreadable or not what its form asks for.
    """
    if path.suffix == ".jsonl":
        with paused_collector():
            return list(_hub_listing(path))
    text = strict_yaml.read_file(path, MAX_CARD_BYTES)
    if path.suffix == ".json":
        return [_croissant(text, path, asset_id)]
    front_matter, first_line = _front_matter(text, path)
    return [_hub_card(front_matter, path, asset_id or _id_of_path(path), first_line)]


def _front_matter(text: str, path: Path) -> tuple[Any, int]:
    """The YAML between the first two `---` lines, and the line where it starts."""
    lines = text.lstrip("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != "---":
        raise FileError("expected YAML front matter: a first line of ---", file=path, line=1)
    end = next((index for index, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        raise FileError("expected a second line of --- after the front matter", file=path, line=1)
    return strict_yaml.parse_yaml("\n".join(lines[1:end]) + "\n", path, 2), 2


def _id_of_path(path: Path) -> str:
    parts = path.absolute().parts
    if path.name.lower() != "readme.md" or len(parts) < 4:
        raise FileError(
            "expected the asset's id: write org/name=PATH, or keep the card at org/name/README.md", file=path
        )
    prefix = DATASETS if parts[-4] == "datasets" else ""
    return prefix + "/".join(parts[-3:-1])


def _hub_listing(path: Path) -> Iterator[Card]:
    """One JSON object per line, as the Hub's API lists repositories with `full=true`: id, cardData and
    perhaps more.
    """
    try:
        with path.open("rb") as stream:
            lines = iter(lambda: stream.readline(MAX_CARD_BYTES + 1), b"")
            for number, line in enumerate(lines, 1):
                if len(line) > MAX_CARD_BYTES:
                    raise FileError(f"expected at most {MAX_CARD_BYTES} bytes a line", file=path, line=number)
                if line.strip():
                    yield _listed(line, path, number)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", file=path) from error


def _listed(line: bytes, path: Path, number: int) -> Card:
    try:
        entry = bounded_json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise FileError(f"expected a JSON object: {error}", file=path, line=number) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise FileError("expected an object with id and cardData", file=path, line=number, field="id")
    return _hub_card(entry.get("cardData") or {}, path, entry["id"], number, one_line=True)


def _hub_card(data: Any, path: Path, asset_id: str, first_line: int, one_line: bool = False) -> Card:
    fields = _Fields(data, path, first_line, one_line)
    is_dataset = asset_id.startswith(DATASETS) or (
        not _DATASET_KEYS.isdisjoint(data) and _MODEL_KEYS.isdisjoint(data)
    )
    bare_id = fields.asset_id(asset_id.removeprefix(DATASETS), "id")
    gaps: list[CardGap] = []
    parents: dict[str, str] = {}
    if is_dataset:
        stage = "training_data"
        for text in fields.texts("source_datasets"):
            source = fields.source(text)
            if source:
                parents[DATASETS + source] = "derived"
    else:
        bases = fields.asset_ids("base_model")
        relation = fields.relation(bases)
        stage = "fine_tuning" if bases or relation else "base_model"
        for base in bases:
            parents[base] = relation or "finetune"
        if relation and not bases:
            gaps.append(CardGap("unknown-base", first_line))
        datasets = fields.asset_ids("datasets")
        for name in datasets:
            parents[DATASETS + name.removeprefix(DATASETS)] = "trained_on"
        if not datasets and relation not in ("merge", "quantized"):  # these two are made without data
            gaps.append(CardGap("undeclared-data", first_line))
    license_ = fields.license(_hub_tags(data), gaps)
    owner, slash, _ = bare_id.partition("/")
    if not slash:
        gaps.append(CardGap("unknown-holder", first_line))
    title = data.get("pretty_name") or data.get("model_name")
    return Card(
        DATASETS + bare_id if is_dataset else bare_id,
        stage,
        license_,
        tuple(parents.items()),
        (f"hf:{owner}",) if slash else (),
        tuple(gaps),
        str(path),
        first_line,
        None,
        names.escaped(title)[:200] if isinstance(title, str) and title else None,
    )


class _Fields:
    """The fields of a card, with errors that name the line."""

    __slots__ = ("data", "first_line", "one_line", "path")

    def __init__(self, data: Any, path: Path, first_line: int, one_line: bool) -> None:
        self.data, self.path, self.first_line, self.one_line = data, path, first_line, one_line
        if not isinstance(data, dict):
            raise FileError("expected fields in the card", file=path, line=first_line)

    def error(self, field: str, message: str) -> FileError:
        return FileError(message, file=self.path, line=self.line_of(field), field=field)

    def line_of(self, field: str) -> int:
        if self.one_line:
            return self.first_line
        text = self.path.read_text(encoding="utf-8").splitlines()
        pattern = re.compile(rf"[\s\"{{]*{re.escape(field)}[\"]?\s*:")
        return next((number for number, row in enumerate(text, 1) if pattern.match(row)), self.first_line)

    def texts(self, field: str) -> list[str]:
        """A field that is one text or a list of texts."""
        value = self.data.get(field)
        if value is None:
            return []
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list) or not _TEXT.issuperset(map(type, value)):
            raise self.error(field, f"expected text or a list of texts, got {names.escaped(value)[:80]}")
        return value

    def asset_id(self, text: str, field: str) -> str:
        if names.is_asset_id(text):
            return text
        try:
            return names.check_asset_id(text, field)
        except InputError as error:
            raise self.error(field, str(error).partition(": ")[2]) from error

    def asset_ids(self, field: str) -> list[str]:
        texts = self.texts(field)
        return texts if all(map(names.is_asset_id, texts)) else [self.asset_id(text, field) for text in texts]

    def source(self, text: str) -> str | None:
        """A data set's source: `extended|squad` and `squad` name squad, `original` none."""
        name = text.removeprefix("extended|").removeprefix(DATASETS)
        return None if name in _NO_SOURCE else self.asset_id(name, "source_datasets")

    def relation(self, bases: list[str]) -> str | None:
        """As the Hub infers it: declared, or merge for several bases, adapter for PEFT, else fine-tune."""
        declared = self.data.get("base_model_relation")
        if declared is not None:
            if declared not in ("adapter", "merge", "quantized", "finetune"):
                raise self.error(
                    "base_model_relation",
                    f"expected adapter, merge, quantized or finetune, got {names.escaped(declared)[:80]!r}",
                )
            return str(declared)
        if len(bases) > 1:
            return "merge"
        tags = self.data.get("tags")
        if self.data.get("library_name") in ("peft", "adapter-transformers") or (
            isinstance(tags, list) and ("lora" in tags or "peft" in tags)
        ):
            return "adapter"
        return "finetune" if bases else None

    def license(self, tags: list[str], gaps: list[CardGap]) -> str | None:
        """The SPDX expression of the tags; of several, all apply (cards do not say which of them).

        None where any says nothing. What nobody knows keeps the card's name for it, and is a gap.
        """
        expression, unknown = _license_of_all(tuple(tags))
        if expression is None:
            gaps.append(CardGap("undeclared-license", self.line_of("license") if tags else self.first_line))
        elif unknown:
            gaps.append(CardGap("unknown-license", self.line_of("license"), unknown))
        return expression


@cache
def _license_of_all(tags: tuple[str, ...]) -> tuple[str | None, str]:
    """The expression of the tags, and those whose meaning nobody knows, in words."""
    expressions = [expression for expression in map(license_of, tags) if expression]
    if not tags or len(expressions) < len(tags):
        return None, ""
    unknown = [tag for tag, found in zip(tags, expressions, strict=True) if not licenses.is_known(found)]
    return licenses.all_of(expressions), ", ".join(names.escaped(tag)[:80] for tag in unknown[:4])


def _hub_tags(data: Mapping[str, Any]) -> list[str]:
    """What `license` says; where it is `other`, the card's own name for it."""
    license_ = data.get("license")
    if type(license_) is str and license_.lower() != "other":
        return [license_]
    name = data.get("license_name")
    tags = [str(tag) for tag in _items(license_)]
    return [name if tag.lower() == "other" and isinstance(name, str) else tag for tag in tags]


@cache
def license_of(text: str) -> str | None:
    """The SPDX expression of a card's tag or a licence's address; None where it says nothing."""
    for pattern, template in _LICENSE_URLS:
        match = re.fullmatch(pattern, text)
        if match:
            groups = [group.upper() if template.startswith("CC-") else group for group in match.groups()]
            name = template.format(*groups)
            text = _ODC.get(name, name)
            break
    try:
        return licenses.to_spdx(text)
    except InputError:
        return licenses.unknown_ref(text)


def _croissant(text: str, path: Path, asset_id: str | None) -> Card:
    """MLCommons Croissant 1.0 (JSON-LD): name, creator, license, distribution with sha256, isBasedOn."""
    data = strict_yaml.parse(text, path)
    fields = _Fields(data, path, 1, False)
    if data.get("@type") not in ("sc:Dataset", "Dataset", "schema:Dataset", "https://schema.org/Dataset"):
        raise fields.error("@type", "expected a Croissant data set (@type sc:Dataset)")
    asset_id = asset_id or _croissant_id(data, fields)
    gaps: list[CardGap] = []
    license_ = fields.license([_address(item) or "" for item in _items(data.get("license"))], gaps)
    creators = [_creator(item) for item in _items(data.get("creator"))]
    holders = tuple(dict.fromkeys(creator for creator in creators if creator))
    if not holders or None in creators:
        gaps.append(CardGap("unknown-holder", fields.line_of("creator")))
    parents = {}
    for item in _items(data.get("isBasedOn")):
        address = _address(item)
        if address:
            name = address.partition("huggingface.co/")[2] or address
            parents[fields.asset_id(DATASETS + name.removeprefix(DATASETS), "isBasedOn")] = "derived"
    name = data.get("name")
    return Card(
        fields.asset_id(DATASETS + asset_id.removeprefix(DATASETS), "id"),
        "training_data",
        license_,
        tuple(parents.items()),
        holders,
        tuple(gaps),
        str(path),
        1,
        _croissant_sha256(data, fields),
        names.escaped(name)[:200] if isinstance(name, str) and name else None,
    )


def _croissant_id(data: Mapping[str, Any], fields: _Fields) -> str:
    url = data.get("url")
    if isinstance(url, str) and "huggingface.co/datasets/" in url:
        return url.partition("huggingface.co/datasets/")[2].strip("/")
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise fields.error("name", "expected the data set's name")
    return re.sub(r"[^a-z0-9._/-]+", "-", name.lower()).strip("-/") or "unnamed"


def _croissant_sha256(data: Mapping[str, Any], fields: _Fields) -> str | None:
    """One file's hash, or the hash of the listing of several; None where any file lacks its own."""
    files = [
        item
        for item in _items(data.get("distribution"))
        if isinstance(item, dict) and str(item.get("@type")).endswith("FileObject")
    ]
    hashes = [item.get("sha256") for item in files]
    if not files or None in hashes:
        return None
    for value in hashes:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
            raise fields.error(
                "sha256", f"expected 64 lower-case hex digits, got {names.escaped(value)[:80]!r}"
            )
    if len(files) == 1:
        return str(hashes[0])
    labels = [str(item.get("name") or item.get("@id")) for item in files]
    return hash_listing(zip(map(str, hashes), labels, strict=True))


def _items(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _address(item: Any) -> str | None:
    """JSON-LD's text, or an object's address."""
    if isinstance(item, dict):
        item = item.get("@id") or item.get("url") or item.get("name")
    return item if isinstance(item, str) and item else None


def _creator(item: Any) -> str | None:
    """`hf:alice` or `github:bob` of a creator with such an address; others are not known by a name that
    anyone vouches for.
    """
    address = item.get("url") or item.get("@id") or item.get("sameAs") if isinstance(item, dict) else item
    if not isinstance(address, str):
        return None
    match = re.fullmatch(r"https?://(?:www\.)?(huggingface\.co|github\.com)/([A-Za-z0-9][\w.-]*)/?", address)
    return f"{'hf' if match[1] == 'huggingface.co' else 'github'}:{match[2]}" if match else None
