//! `ossp verify`: everything that can be said of a package, and whether it is good.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use plug::access::Hex;
use plug::update::image::{AppImage, Whole};
use plug::update::keys::Key;
use plug::update::package::{Header, Manifest, PackageError};

use super::key;
use super::sign::whole;
use crate::failure::Failure;
use crate::file;

pub(super) const OTHER_IMAGE: &str = "The manifest says something else than its image.";
pub(super) const WRONG_SIGNATURE: &str = "A signature of this package is wrong.";

/// Options of `ossp verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyOptions {
    /// A package, or a bare image
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A public key that you trust; one of several must have signed it
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Vec<Key>,
}

/// Prints what a package is.
///
/// # Errors
/// If it is not good: damaged, with a wrong signature, or with none that is asked for.
pub fn verify(options: &VerifyOptions) -> Result<(), Failure> {
    let bytes = file::read(&options.file)?;
    let bad = |words: &str| Failure::failed(format!("{}: {words}", options.file.display()));
    let (header, length) = match Header::parse(&bytes) {
        Ok(Some((header, length))) => (Some(header), length),
        Err(PackageError::NotAPackage) => (None, 0),
        Ok(None) | Err(PackageError::Damaged) => return Err(bad("This package is damaged.")),
    };
    let image = bytes.get(length..).unwrap_or_default();
    let mut table = Vec::new();
    if let Some(Header { manifest, .. }) = &header {
        manifest_table(manifest, &mut table);
    }
    let verdict = whole(&options.file, image).and_then(|(app, whole)| {
        if header.is_none() {
            describe_image(&app, &whole, &mut table);
        }
        table.push(("image", format!("whole, {} bytes", whole.length)));
        match &header {
            None => Err(bad("This is a bare image: nobody vouches for it.")),
            Some(Header { manifest, .. }) if !fits(manifest, &app, &whole) => Err(bad(OTHER_IMAGE)),
            Some(_) => Ok(()),
        }
    });
    let signed = header
        .as_ref()
        .map_or(Ok(()), |header| signatures(header, verdict.is_ok(), &options.key, &mut table).map_err(bad));
    let mut out = std::io::stdout().lock();
    for (name, value) in &table {
        writeln!(out, "{name:<10} {value}")
            .map_err(|error| Failure::failed(format!("standard output cannot be written ({error})")))?;
    }
    verdict.and(signed)?;
    if options.key.is_empty() {
        let _ = writeln!(
            std::io::stderr(),
            "ossp: good, but whose keys these are nobody looked at: --key says whom you trust"
        );
    }
    Ok(())
}

/// All that a manifest says.
pub(super) fn manifest_table(manifest: &Manifest, table: &mut Vec<(&'static str, String)>) {
    table.push(("version", manifest.version.to_string()));
    for name in ["project", "chip", "board"] {
        table.push((name, manifest.word(name).to_owned()));
    }
    table.push(("size", format!("{} bytes", manifest.size)));
    table.push(("sha256", Hex(&manifest.sha256).to_string()));
    table.push(("oldest", manifest.oldest.to_string()));
    for name in ["commit", "rustc", "espflash"] {
        table.push((name, manifest.word(name).to_owned()));
    }
    table.extend(manifest.add.iter().map(|key| ("adds", key.to_string())));
    table.extend(manifest.retire.iter().map(|key| ("retires", key.to_string())));
}

fn describe_image(app: &AppImage, whole: &Whole, table: &mut Vec<(&'static str, String)>) {
    table.push(("version", app.version.to_string()));
    table.push(("project", app.project.to_string()));
    table.push(("chip", app.chip.name().to_owned()));
    table.push(("sha256", Hex(&whole.sha256).to_string()));
}

/// Whether a manifest is that of an image.
pub(super) fn fits(manifest: &Manifest, app: &AppImage, whole: &Whole) -> bool {
    manifest.version.as_str() == app.version
        && manifest.word("project") == app.project
        && manifest.word("chip") == app.chip.name()
        && (manifest.size, manifest.sha256) == (whole.length, whole.sha256)
}

/// Looks at each signature. One that is wrong spoils the package; a right one of a manifest whose image is not there is
/// not called good.
fn signatures(
    header: &Header,
    has_its_image: bool,
    trusted: &[Key],
    table: &mut Vec<(&'static str, String)>,
) -> Result<(), &'static str> {
    let (mut wrong, mut known) = (false, trusted.is_empty());
    for signature in &header.signatures {
        let good = header.manifest.is_signed(signature);
        let is_known = trusted.contains(&signature.key);
        wrong |= !good;
        known |= good && is_known;
        let words = match (good, is_known) {
            (false, _) => "WRONG",
            (true, _) if !has_its_image => "of another image",
            (true, true) => "good, trusted",
            (true, false) => "good",
        };
        table.push(("signature", format!("{}  {words}", signature.key)));
    }
    if header.signatures.is_empty() {
        Err("Nobody signed this package.")
    } else if wrong {
        Err(WRONG_SIGNATURE)
    } else if !known {
        Err("None of the keys that you trust signed this package.")
    } else {
        Ok(())
    }
}
