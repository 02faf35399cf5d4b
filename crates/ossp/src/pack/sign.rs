//! `ossp sign`: an image becomes a package, or a package gets one more signature.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use ed25519_dalek::{Signer, SigningKey};
use plug::update::image::{AppImage, Walk, Whole};
use plug::update::keys::{KEYS, Key};
use plug::update::package::{DOMAIN, Draft, Header, MAGIC, Manifest, PackageError, SIGNATURES, Signature};
use plug::update::version::Version;

use super::verify::{OTHER_IMAGE, WRONG_SIGNATURE, fits, manifest_table};
use super::{key, keys};
use crate::failure::Failure;
use crate::file::{self, Readers};

/// Options of `ossp sign`.
#[derive(Args, Clone, Debug)]
pub struct SignOptions {
    /// The image as `espflash save-image` makes it, or a package that gets one more signature
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The file of a secret key; several sign one after the other
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The package
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replaces a file that is there
    #[arg(long)]
    force: bool,
    /// The board that the image is for, as its build was told it (OSSP_BOARD)
    #[arg(long, value_name = "NAME")]
    board: Option<String>,
    /// The oldest version that may install it
    #[arg(long, value_name = "VERSION", value_parser = version)]
    oldest: Option<Version>,
    /// The commit that it was built from
    #[arg(long, value_name = "TEXT")]
    commit: Option<String>,
    /// The compiler's version
    #[arg(long, value_name = "TEXT")]
    rustc: Option<String>,
    /// The version of espflash that made the image
    #[arg(long, value_name = "TEXT")]
    espflash: Option<String>,
    /// A public key that plugs accept from then on
    #[arg(long, value_name = "KEY", value_parser = key)]
    add_key: Vec<Key>,
    /// A public key that they do not accept any more
    #[arg(long, value_name = "KEY", value_parser = key)]
    retire_key: Vec<Key>,
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "a version such as 0.2.0 is wanted".to_owned())
}

impl SignOptions {
    /// Whether anything is said that goes into a manifest.
    fn describes(&self) -> bool {
        let texts = [&self.board, &self.commit, &self.rustc, &self.espflash];
        texts.iter().any(|text| text.is_some())
            || self.oldest.is_some()
            || !(self.add_key.is_empty() && self.retire_key.is_empty())
    }
}

/// Signs.
///
/// # Errors
/// If the image is none, or a file cannot be read or written.
pub fn sign(options: &SignOptions) -> Result<(), Failure> {
    let keys = options.key.iter().map(|path| keys::read(path)).collect::<Result<Vec<_>, _>>()?;
    let bytes = file::read(&options.image)?;
    let (manifest, mut signatures, image) = match Header::parse(&bytes) {
        Ok(Some((header, length))) => {
            if options.describes() {
                return Err(Failure::wrong_use(
                    "a package has its manifest already: sign the image to say something else".to_owned(),
                ));
            }
            let image = bytes.get(length..).unwrap_or_default();
            is_good(&options.image, &header, image)?;
            (header.manifest, header.signatures.to_vec(), image)
        }
        Err(PackageError::NotAPackage) => (describe(options, &bytes)?, Vec::new(), bytes.as_slice()),
        Ok(None) | Err(PackageError::Damaged) => {
            return Err(Failure::failed(format!("{} is a damaged package", options.image.display())));
        }
    };
    // Whoever signs sees what, and above all whom its plugs are to accept from then on.
    let mut table = Vec::new();
    manifest_table(&manifest, &mut table);
    let mut out = std::io::stderr().lock();
    for (name, value) in &table {
        // A terminal that is gone is no reason not to sign.
        let _ = writeln!(out, "{name:<10} {value}");
    }
    for key in &keys {
        signatures.retain(|signature: &Signature| signature.key != keys::public(key));
        signatures.push(signature(key, &manifest));
    }
    if signatures.len() > SIGNATURES {
        return Err(Failure::wrong_use(format!("a package has {SIGNATURES} signatures at most")));
    }
    if signatures.iter().all(|signature| manifest.retire.contains(&signature.key)) {
        let _ = writeln!(
            out,
            "ossp: it retires every key that signed it: plugs refuse it until it is signed with its new key, too"
        );
    }
    file::write(&options.output, &package(&manifest, &signatures, image), Readers::Usual, options.force)
}

/// A package gets no more signatures than it deserves: what is signed is the manifest alone, and nobody may put the image
/// of another behind it.
fn is_good(path: &Path, header: &Header, image: &[u8]) -> Result<(), Failure> {
    let (app, whole) = whole(path, image)?;
    let wrong = |words: &str| Failure::failed(format!("{}: {words}", path.display()));
    if !fits(&header.manifest, &app, &whole) {
        return Err(wrong(OTHER_IMAGE));
    }
    let all_good = header.signatures.iter().all(|signature| header.manifest.is_signed(signature));
    if all_good { Ok(()) } else { Err(wrong(WRONG_SIGNATURE)) }
}

/// What an image is, followed to its end.
pub(super) fn whole(path: &Path, image: &[u8]) -> Result<(AppImage, Whole), Failure> {
    let wrong = |words: &dyn std::fmt::Display| Failure::failed(format!("{}: {words}", path.display()));
    let Some(app) = AppImage::parse(image).map_err(|error| wrong(&error))? else {
        return Err(wrong(&"This firmware ends before it says what it is."));
    };
    let mut walk = Walk::new(u32::try_from(image.len()).unwrap_or(u32::MAX));
    let taken = walk.feed(image).map_err(|error| wrong(&error))?;
    match walk.whole() {
        Some(whole) if taken == image.len() => Ok((app, whole)),
        Some(_) => Err(wrong(&"Something stands behind the firmware.")),
        None => Err(wrong(&"This firmware ends too early.")),
    }
}

fn describe(options: &SignOptions, image: &[u8]) -> Result<Manifest, Failure> {
    let (app, whole) = whole(&options.image, image)?;
    let chip = app.chip.name();
    let board = match (&options.board, chip) {
        (Some(board), _) => board,
        (None, "pc") => "virtual",
        (None, _) => {
            return Err(Failure::wrong_use("--board is missing: which board is this image for?".to_owned()));
        }
    };
    let or_unknown = |text: &'_ Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    if options.add_key.len() > KEYS || options.retire_key.len() > KEYS {
        return Err(Failure::wrong_use(format!("{KEYS} keys at most can be added, and {KEYS} retired")));
    }
    if let Some(key) = options.add_key.iter().find(|key| options.retire_key.contains(key)) {
        return Err(Failure::wrong_use(format!("{key} is to be added and to be retired: which of the two?")));
    }
    let draft = Draft {
        version: &app.version,
        project: &app.project,
        chip,
        board,
        size: whole.length,
        sha256: whole.sha256,
        oldest: options.oldest.as_ref().map_or("0.0.0", Version::as_str),
        commit: &or_unknown(&options.commit),
        rustc: &or_unknown(&options.rustc),
        espflash: &or_unknown(&options.espflash),
        add: &options.add_key,
        retire: &options.retire_key,
    };
    Manifest::parse(&draft.to_string()).map_err(|_| {
        Failure::failed(
            "this makes no manifest: the image's version must be one such as 0.2.0, no key may be given twice, and texts \
             must be short, of plain ASCII without quotation marks and backslashes"
                .to_owned(),
        )
    })
}

fn signature(key: &SigningKey, manifest: &Manifest) -> Signature {
    let message = [DOMAIN, manifest.text().as_bytes()].concat();
    Signature { key: keys::public(key), bytes: Box::new(key.sign(&message).to_bytes()) }
}

fn package(manifest: &Manifest, signatures: &[Signature], image: &[u8]) -> Vec<u8> {
    let mut head = String::from_utf8_lossy(MAGIC).into_owned();
    // A string has room for everything.
    let _ = writeln!(head, "{}", manifest.text());
    for signature in signatures {
        let _ = writeln!(head, "{signature}");
    }
    let _ = writeln!(head);
    [head.as_bytes(), image].concat()
}
