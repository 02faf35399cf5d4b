//! `ossp provision`: settings and a password as an image to flash beside the firmware, for one plug or a classroom.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use metering::calibration::Calibration;
use plug::core::civil::Zone;
use plug::settings::{self, Basis, Hardware, Refusal, Settings};
use plug::storage::import::{IMPORT_MOST, NAMES, RECORD, record, text_of, with_own};
use serde_json::Value;

use crate::failure::Failure;
use crate::file;
use crate::once;

/// Options of `ossp provision`.
#[derive(Args, Clone, Debug)]
pub struct ProvisionOptions {
    /// What is set, as `GET /api/v1/settings` shows it, with "password" beside the sections; {id} in the plug's names and
    /// its node becomes the last four characters of its identity, and an n in such braces, with --random, its number
    // (A bare one clap would make an end of the line.)
    #[arg(value_name = "SETTINGS.json")]
    settings: PathBuf,
    /// The image; with --random one for each plug: settings.bin becomes settings-1.bin, settings-2.bin, ...
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Makes a password for each plug and writes them to this list
    #[arg(long, value_name = "LIST.csv")]
    random: Option<PathBuf>,
    /// How many plugs, with --random
    #[arg(long, value_name = "N", requires = "random", conflicts_with = "names", value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: Option<u16>,
    /// A text file with the name of a plug on each line, with --random
    #[arg(long, value_name = "FILE", requires = "random")]
    names: Option<PathBuf>,
    /// How much flash the plugs have: it says where the image belongs
    #[arg(long, value_enum, default_value_t = Table::Small)]
    flash: Table,
    /// Replaces files that are there
    #[arg(long)]
    force: bool,
}

/// A partition table of the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Table {
    /// 4 MB
    #[value(name = "4mb")]
    Small,
    /// 8 MB
    #[value(name = "8mb")]
    Large,
}

impl Table {
    /// Where the record belongs: in the partition `data` of the table that the firmware is built with.
    fn address(self) -> Option<u32> {
        let table = match self {
            Self::Small => include_str!("../../../firmware/partitions.csv"),
            Self::Large => include_str!("../../../firmware/partitions-8mb.csv"),
        };
        let line = table.lines().find(|line| line.starts_with("data,"))?;
        let offset = line.split(',').nth(3)?.trim().strip_prefix("0x")?;
        Some(u32::from_str_radix(offset, 16).ok()? + RECORD.from)
    }
}

/// Letters of passwords that are made: none that looks like another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many of them: 60 bits.
const LENGTH: usize = 12;
/// What becomes the number of a plug: in its names, and in this.
const NUMBER: &str = "{n}";
const NUMBERED: &str = "/wifi/address/ip";
/// Secrets that a plug does not tell: `"set"` stands for them in what it shows.
const SECRETS: [(&str, &str); 4] = [
    ("wifi", "password"),
    ("wifi", "access_point_password"),
    ("emoncms", "write_key"),
    ("emoncms", "read_key"),
];

/// Makes the images.
///
/// # Errors
/// If the settings are wrong, or a file cannot be read or written.
pub fn provision(options: &ProvisionOptions) -> Result<(), Failure> {
    let text = String::from_utf8(file::read(&options.settings)?)
        .map_err(|_| wrong(&options.settings, &"it is no text"))?;
    let value = once::read(&text).map_err(|error| wrong(&options.settings, &error))?;
    let address = options
        .flash
        .address()
        .ok_or_else(|| Failure::failed("the partition table has no place for it".to_owned()))?;
    let made = match &options.random {
        None => {
            no_number(&options.settings, &value)?;
            vec![Made { name: String::new(), file: options.output.clone(), password: String::new(), value }]
        }
        Some(_) => each(options, &value)?,
    };
    // All of them are checked before the first is written.
    let mut images = Vec::new();
    for plug in &made {
        images.push(image(&options.settings, &plug.value)?);
    }
    // The list comes last: it tells of no password that is in no image.
    let list = csv(&made);
    let mut files: Vec<_> =
        made.iter().zip(&images).map(|(plug, image)| (plug.file.as_path(), image.as_slice())).collect();
    files.extend(options.random.as_deref().map(|path| (path, list.as_bytes())));
    file::write_all(&files, options.force)?;
    let mut out = std::io::stdout().lock();
    for plug in &made {
        writeln!(out, "espflash write-bin {address:#x} {}", plug.file.display())
            .map_err(|error| Failure::failed(format!("standard output cannot be written ({error})")))?;
    }
    let _ = writeln!(
        std::io::stderr(),
        "ossp: write it beside the firmware, before the plug has an owner; there are passwords in the {}",
        if made.len() == 1 { "file" } else { "files" }
    );
    Ok(())
}

fn wrong(path: &Path, words: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{}: {words}", path.display()))
}

/// One image has no number to put in: it would stay in the plug's name as it is.
fn no_number(path: &Path, value: &Value) -> Result<(), Failure> {
    let has_one = |place: &String| {
        value.pointer(place).and_then(Value::as_str).is_some_and(|text| text.contains(NUMBER))
    };
    match numbered().find(has_one) {
        Some(place) => {
            let field = place.trim_start_matches('/').replace('/', ".");
            Err(wrong(path, &format!("{field} has {NUMBER} in it: a plug's number, which needs --random")))
        }
        None => Ok(()),
    }
}

/// Where the number of a plug is put in.
fn numbered() -> impl Iterator<Item = String> {
    NAMES.iter().map(|(section, name)| format!("/{section}/{name}")).chain([NUMBERED.to_owned()])
}

/// What one plug gets.
struct Made {
    name: String,
    file: PathBuf,
    password: String,
    value: Value,
}

/// One for each plug, with a password of its own.
fn each(options: &ProvisionOptions, value: &Value) -> Result<Vec<Made>, Failure> {
    if value.get("password").is_some_and(|password| !password.is_null()) {
        return Err(wrong(&options.settings, &"--random makes the passwords: leave \"password\" out"));
    }
    let names = match &options.names {
        None => vec![String::new(); usize::from(options.count.unwrap_or(1))],
        Some(path) => {
            let text = String::from_utf8(file::read(path)?).map_err(|_| wrong(path, &"it is no text"))?;
            let names: Vec<_> =
                text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if names.is_empty() {
                return Err(wrong(path, &"there is no name in it"));
            }
            names
        }
    };
    let (stem, extension) = (options.output.file_stem(), options.output.extension());
    let mut made = Vec::new();
    for (name, number) in names.into_iter().zip(1_u32..) {
        let mut file = stem.unwrap_or_default().to_owned();
        file.push(format!("-{number}"));
        let mut file = options.output.with_file_name(file);
        if let Some(extension) = extension {
            file.set_extension(extension);
        }
        let mut value = value.clone();
        for path in numbered() {
            if let Some(Value::String(text)) = value.pointer_mut(&path) {
                *text = text.replace(NUMBER, &number.to_string());
            }
        }
        let password = password()?;
        let Some(members) = value.as_object_mut() else {
            return Err(wrong(&options.settings, &"it is no JSON object"));
        };
        members.insert("password".to_owned(), password.clone().into());
        if !name.is_empty() {
            let device = members.entry("device").or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Some(device) = device.as_object_mut() {
                device.insert("name".to_owned(), name.clone().into());
            }
        }
        let name = value.pointer("/device/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        made.push(Made { name, file, password, value });
    }
    Ok(made)
}

fn password() -> Result<String, Failure> {
    let mut chance = [0; LENGTH];
    getrandom::fill(&mut chance)
        .map_err(|error| Failure::failed(format!("this system has no random numbers ({error})")))?;
    // 256 is a multiple of their number: each is as likely as any other.
    Ok(chance
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
        .map(|b| char::from(*b))
        .collect())
}

fn csv(made: &[Made]) -> String {
    let mut list = String::from("number,name,file,password\n");
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    for (plug, number) in made.iter().zip(1..) {
        let (name, file) = (quoted(&plug.name), quoted(&plug.file.display().to_string()));
        // A string has room for everything.
        let _ = writeln!(list, "{number},{name},{file},{}", plug.password);
    }
    list
}

/// The record with these settings, if a plug would take them.
fn image(path: &Path, value: &Value) -> Result<Vec<u8>, Failure> {
    for (section, name) in SECRETS {
        if value.get(section).and_then(|section| section.get(name)) == Some(&"set".into()) {
            return Err(wrong(
                path,
                &format!("{section}.{name} is \"set\": no plug tells it, so write it there"),
            ));
        }
    }
    let more = value.pointer("/wifi/more").and_then(Value::as_array);
    if more.into_iter().flatten().any(|network| network.get("password") == Some(&"set".into())) {
        return Err(wrong(path, &"a password in wifi.more is \"set\": no plug tells it, so write it there"));
    }
    let text = value.to_string();
    settings::import(&Settings::default(), &with_own(&text, "00000000"), &basis()).map_err(|refusal| {
        match refusal {
            Refusal::NotJson => wrong(path, &"it is no JSON object that a plug takes"),
            Refusal::Wrong(fields) => wrong(path, &fields),
        }
    })?;
    record(&text).ok_or_else(|| {
        wrong(path, &format!("it is longer than the {IMPORT_MOST} bytes that there are for it"))
    })
}

/// Any board: what a plug cannot have itself it does not take, and says so in its log.
fn basis() -> Basis {
    Basis {
        hardware: Hardware::ANY,
        board: Calibration::ideal(1.0, 0.0, 1.0, 0.0),
        zone: |text| Zone::parse(text).is_ok(),
    }
}

/// The record in a file, for the virtual plug.
///
/// # Errors
/// If it cannot be read, or is none.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = file::read(path)?;
    if bytes.len() > RECORD.length as usize || text_of(&bytes).is_none() {
        return Err(Failure::wrong_use(format!(
            "{} is nothing that `ossp provision` made, or is damaged",
            path.display()
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_partition_table() {
        assert_eq!(Table::Small.address().map(|address| address - RECORD.from), Some(DATA_SMALL));
        assert_eq!(Table::Large.address().map(|address| address % 4096), Some(0));
        assert!(Table::Large.address() > Table::Small.address());
    }

    /// `data` in firmware/partitions.csv.
    const DATA_SMALL: u32 = 0x003b_0000;

    #[test]
    fn passwords_are_all_different_and_of_plain_letters() {
        let mut made: Vec<_> = (0..200).map(|_| password().unwrap()).collect();
        assert!(
            made.iter().all(|text| text.len() == LENGTH && text.bytes().all(|byte| LETTERS.contains(&byte)))
        );
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), 200);
    }
}
