//! scratch
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout, clippy::as_conversions)]
use std::ops::ControlFlow;
use bytepair_core::pretokenize::{Pretokenizer, Tier};
fn main() {
    for preset in ["gpt2", "cl100k", "o200k"] {
        let p = Pretokenizer::new(preset).unwrap();
        for name in ["en", "code", "zh", "ja", "uk", "ar", "ko", "poetry"] {
            let mut text = std::fs::read(format!("/work/shared/corpora/{name}.txt")).unwrap();
            text.truncate(8_000_000);
            let n = std::str::from_utf8(&text).map_or_else(|e| e.valid_up_to(), |t| t.len());
            text.truncate(n);
            let mut line = format!("{preset} {name}");
            for tier in Tier::available() {
                Tier::force(Some(tier));
                let mut best = f64::MAX; let mut count = 0usize;
                for _ in 0..5 {
                    let t = std::time::Instant::now();
                    count = 0;
                    let _ = p.split(&text, |x| { count += x.len() & 1; ControlFlow::<()>::Continue(()) });
                    best = best.min(t.elapsed().as_secs_f64());
                }
                line += &format!("  {tier:?} {:.0} MB/s ({count})", text.len() as f64 / best / 1e6);
            }
            println!("{line}");
        }
    }
}
