"""Turns the .proto files that a registry package ships into the small set that Sennit compiles.

    trim_protos.py --roots protos/roots.txt --include DIR... --out DIR

Writes OUT/trimmed.pb, a FileDescriptorSet of the roots and all that they import, with
  - every custom option (validation rules, documentation annotations) and the imports that only
    these need taken away: they make the generated code several times larger and are not used;
  - fields named with a C++ keyword that protoc 3.21 does not escape renamed (`requires_`),
    their JSON names kept;
and OUT/files.txt, the files to generate code for, one a line. google/protobuf/* is left out of
files.txt: libprotobuf brings those.
"""
import argparse
import pathlib
import subprocess
import sys

from google.protobuf import descriptor_pb2

CPP_KEYWORDS = {"requires", "concept", "co_await", "co_return", "co_yield", "consteval", "constinit"}
ANNOTATION_FILES = (
    "validate/validate.proto",
    "udpa/annotations/",
    "xds/annotations/",
    "envoy/annotations/",
    "google/api/annotations.proto",
    "google/api/http.proto",
)


def read_roots(path: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in open(path, encoding="utf-8"))
    return [line for line in lines if line]


def strip_options(message) -> None:
    """Drops unknown fields (extensions nobody registered here) from every options message."""
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for item in value if field.is_repeated else [value]:
            if field.message_type.name.endswith("Options"):
                item.DiscardUnknownFields()
            strip_options(item)


def rename_keywords(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        if field.name in CPP_KEYWORDS:
            field.name += "_"
    for nested in message.nested_type:
        rename_keywords(nested)


def is_annotation(name: str) -> bool:
    return name.startswith(ANNOTATION_FILES)


def trim(files: descriptor_pb2.FileDescriptorSet, roots: list[str]) -> list:
    by_name = {file.name: file for file in files.file}
    for file in files.file:
        kept = [d for d in file.dependency if not is_annotation(d)]
        public = {file.dependency[i] for i in file.public_dependency}
        del file.dependency[:], file.public_dependency[:], file.weak_dependency[:]
        file.dependency.extend(kept)
        file.public_dependency.extend(i for i, name in enumerate(kept) if name in public)
        strip_options(file)
        for message in file.message_type:
            rename_keywords(message)
    wanted, queue = set(), list(roots)
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue.extend(by_name[name].dependency)
    return [file for file in files.file if file.name in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roots", required=True)
    parser.add_argument("--include", nargs="+", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    roots = read_roots(args.roots)
    whole = args.out / "whole.pb"
    subprocess.run(
        ["protoc", "--include_imports", f"--descriptor_set_out={whole}", *[f"-I{d}" for d in args.include], *roots],
        check=True,
    )
    kept = trim(descriptor_pb2.FileDescriptorSet.FromString(whole.read_bytes()), roots)
    trimmed = descriptor_pb2.FileDescriptorSet(file=kept)
    (args.out / "trimmed.pb").write_bytes(trimmed.SerializeToString())
    names = [file.name for file in kept if not file.name.startswith("google/protobuf/")]
    (args.out / "files.txt").write_text("".join(name + "\n" for name in names))
    messages = sum(len(file.message_type) for file in kept)
    print(f"{len(names)} proto files, {messages} top-level messages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
