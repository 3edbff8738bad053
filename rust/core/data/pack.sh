#!/bin/sh
# Packs the published rank files in the folder RANKS (r50k_base.tiktoken and so on) into this folder.
set -eu
: "${RANKS:?set RANKS to the folder that holds r50k_base.tiktoken, p50k_base.tiktoken and so on}"
cd "$(dirname "$0")/../../.."
for name in r50k_base p50k_base cl100k_base o200k_base; do
    cargo run --quiet --release --locked --package bytepair-core --example pack_builtin -- \
        "$RANKS/$name.tiktoken" "rust/core/data/$name"
done
# Those of p50k_base begin with them.
rm rust/core/data/r50k_base.merges
