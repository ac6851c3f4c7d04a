//! What the Worker weighs: Cloudflare's limit is on the compressed upload (3 MB free, 10 MB paid).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

use super::{MODULE, SCRIPT};

/// Prints the size of each file and of both together, raw and compressed.
pub(super) fn report(place: &str, output: &Path) -> Result<()> {
    let mut total = (0, 0);
    for name in [MODULE, SCRIPT] {
        let bytes = fs::read(output.join(name)).with_context(|| format!("cannot read {place}/{name}"))?;
        let compressed = gzip(&bytes)?;
        println!("   {place}/{name}: {}, gzip {}", kib(bytes.len()), kib(compressed));
        total = (total.0 + bytes.len(), total.1 + compressed);
    }
    println!("   together: {}, gzip {}", kib(total.0), kib(total.1));
    Ok(())
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[allow(clippy::cast_precision_loss, reason = "sizes of files, to one decimal")]
fn kib(bytes: usize) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}
