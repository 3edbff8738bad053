#!/bin/sh
# Packs the published rank files in the folder RANKS (r50k_base.tiktoken and so on) into this folder.
set -eu
: "${RANKS:?set RANKS to the folder that holds r50k_base.tiktoken, p50k_base.tiktoken and so on}"
cd "$(dirname "$0")/../../.."
pack() {
    name=$1
    shift
    cargo run --quiet --release --locked --package bytepair-core --example pack_builtin -- \
        "$name" "$RANKS/$name.tiktoken" "$@" >"rust/core/data/$name.bpe"
}
pack r50k_base gpt2 '<|endoftext|>' 50256
pack p50k_base gpt2 '<|endoftext|>' 50256
pack cl100k_base cl100k '<|endoftext|>' 100257 '<|fim_prefix|>' 100258 '<|fim_middle|>' 100259 \
    '<|fim_suffix|>' 100260 '<|endofprompt|>' 100276
pack o200k_base o200k '<|endoftext|>' 199999 '<|endofprompt|>' 200018
