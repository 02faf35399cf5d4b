//! Keys, packages and images on the command line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod virtual_plug;

use std::path::{Path, PathBuf};
use std::process::Output;

use plug::update::image::{AppImage, Walk};
use plug::update::package::Header;
use virtual_plug::{Folder, run};

/// A folder with its files.
struct Bench(Folder);

impl Bench {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        std::fs::create_dir_all(&folder.0).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }

    /// Runs the program; a word `@name` is the file of this name.
    fn ossp(&self, words: &[&str]) -> Output {
        let words: Vec<String> = words
            .iter()
            .map(|word| match word.strip_prefix('@') {
                Some(name) => self.path(name).to_str().unwrap().to_owned(),
                None => (*word).to_owned(),
            })
            .collect();
        run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// What it prints; it must succeed.
    #[track_caller]
    fn good(&self, words: &[&str]) -> String {
        let output = self.ossp(words);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Its status and what it says.
    fn bad(&self, words: &[&str]) -> (i32, String) {
        let output = self.ossp(words);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// A key of this name; the public one.
    fn key(&self, name: &str) -> String {
        self.good(&["keygen", "-o", &format!("@{name}")])
    }

    fn image(&self, name: &str, version: &str) {
        self.good(&["image", "--version", version, "-o", &format!("@{name}")]);
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_image_becomes_a_package_that_says_everything() {
    let bench = Bench::new("pack");
    let (first, second) = (bench.key("a.pem"), bench.key("b.pem"));
    assert_ne!(first, second);
    assert_eq!(first.len(), 64);
    bench.image("image.bin", "0.2.0");
    bench.good(&[
        "sign",
        "@image.bin",
        "--key",
        "@a.pem",
        "-o",
        "@one.ossp",
        "--oldest",
        "0.1.0",
        "--commit",
        "0123456789ab",
        "--rustc",
        "1.96.0 (a b)",
        "--espflash",
        "4.0.0",
        "--add-key",
        &second,
        "--retire-key",
        &first,
    ]);
    let table = bench.good(&["verify", "@one.ossp", "--key", &first]);
    let (image, package) =
        (std::fs::read(bench.path("image.bin")).unwrap(), std::fs::read(bench.path("one.ossp")).unwrap());
    let mut walk = Walk::new(u32::MAX);
    walk.feed(&image).unwrap();
    let sha256 = plug::access::Hex(&walk.whole().unwrap().sha256).to_string();
    for line in [
        "version    0.2.0",
        "project    ossp-firmware",
        "chip       pc",
        "board      virtual",
        "size       4096 bytes",
        &format!("sha256     {sha256}"),
        "oldest     0.1.0",
        "commit     0123456789ab",
        "rustc      1.96.0 (a b)",
        "espflash   4.0.0",
        &format!("adds       {second}"),
        &format!("retires    {first}"),
        "image      whole, 4096 bytes",
        &format!("signature  {first}  good, trusted"),
    ] {
        assert!(table.lines().any(|other| other == line), "{line}\n{table}");
    }
    // The image itself is behind it, as it was.
    let (_, length) = Header::parse(&package).unwrap().unwrap();
    assert_eq!(package[length..], image);
    // Somebody else signs it too.
    let said = |words: &[&str]| String::from_utf8(bench.ossp(words).stderr).unwrap();
    let alone = said(&["sign", "@one.ossp", "--key", "@a.pem", "-o", "@alone.ossp"]);
    assert!(alone.contains("retires every key that signed it"), "{alone}");
    let with_new = said(&["sign", "@one.ossp", "--key", "@b.pem", "-o", "@two.ossp"]);
    assert!(!with_new.contains("every key"), "{with_new}");
    let table = bench.good(&["verify", "@two.ossp", "--key", &second]);
    assert!(
        table.contains(&format!("{first}  good\n")) && table.contains(&format!("{second}  good, trusted")),
        "{table}"
    );
    // Once more changes nothing.
    bench.good(&["sign", "@two.ossp", "--key", "@b.pem", "--key", "@a.pem", "-o", "@again.ossp"]);
    assert_eq!(
        std::fs::read(bench.path("again.ossp")).unwrap().len(),
        std::fs::read(bench.path("two.ossp")).unwrap().len()
    );
}

#[test]
fn what_is_not_good_is_told_with_status_1() {
    let bench = Bench::new("bad");
    let (mine, other) = (bench.key("mine.pem"), bench.key("other.pem"));
    bench.image("image.bin", "0.2.0");
    bench.good(&["sign", "@image.bin", "--key", "@mine.pem", "-o", "@good.ossp"]);
    let good = std::fs::read(bench.path("good.ossp")).unwrap();
    let (_, length) = Header::parse(&good).unwrap().unwrap();
    let text = String::from_utf8(good[..length].to_vec()).unwrap();
    let put = |name: &str, head: &str, image: &[u8]| {
        std::fs::write(bench.path(name), [head.as_bytes(), image].concat()).unwrap();
    };
    let image = &good[length..];
    put("renamed.ossp", &text.replace("\"0.2.0\"", "\"0.2.1\""), image);
    put("cut.ossp", &text, &image[..image.len() - 1]);
    put("longer.ossp", &text, &[image, b"x"].concat());
    put("head.ossp", &text[..100], b"");
    put("unsigned.ossp", &format!("{}\n\n", text.lines().take(2).collect::<Vec<_>>().join("\n")), image);
    let mut damaged = image.to_vec();
    damaged[400] ^= 1;
    put("damaged.ossp", &text, &damaged);
    put("nothing.ossp", "hello", b"");
    // A good image, but another one than the manifest says.
    bench.image("next.bin", "0.2.1");
    put("swapped.ossp", &text, &std::fs::read(bench.path("next.bin")).unwrap());
    for (file, words) in [
        ("renamed.ossp", "The manifest says something else than its image."),
        ("cut.ossp", "This firmware ends too early."),
        ("longer.ossp", "Something stands behind the firmware."),
        ("head.ossp", "This package is damaged."),
        ("unsigned.ossp", "Nobody signed this package."),
        ("damaged.ossp", "This firmware is damaged: get the file once more."),
        ("nothing.ossp", "This file is no firmware."),
        ("swapped.ossp", "The manifest says something else than its image."),
        ("image.bin", "This is a bare image: nobody vouches for it."),
        ("missing.ossp", "cannot be read"),
    ] {
        let (status, said) = bench.bad(&["verify", &format!("@{file}")]);
        assert_eq!(status, 1, "{file}");
        assert!(said.contains(words), "{file}: {said}");
    }
    let (status, said) = bench.bad(&["verify", "@good.ossp", "--key", &other]);
    assert_eq!((status, said.contains("None of the keys that you trust")), (1, true), "{said}");
    bench.good(&["verify", "@good.ossp", "--key", &other, "--key", &mine]);
    // A signature that is wrong spoils it, whoever else signed.
    bench.good(&["sign", "@good.ossp", "--key", "@other.pem", "-o", "@both.ossp"]);
    let both = std::fs::read(bench.path("both.ossp")).unwrap();
    let mut wrong = both.clone();
    let at = text.rfind(' ').unwrap() + 20;
    wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
    std::fs::write(bench.path("wrong.ossp"), wrong).unwrap();
    let (status, said) = bench.bad(&["verify", "@wrong.ossp", "--key", &other]);
    assert_eq!((status, said.contains("A signature of this package is wrong.")), (1, true), "{said}");
}

/// Somebody puts a harmless image behind the manifest of his own, and has it signed by those who are trusted.
#[test]
fn a_signature_is_not_had_for_another_image() {
    let bench = Bench::new("lure");
    let (own, trusted) = (bench.key("own.pem"), bench.key("trusted.pem"));
    bench.image("harmless.bin", "0.2.0");
    // The same but for a byte: only its SHA-256 is another.
    bench.good(&["image", "--version", "0.2.0", "--crash-after", "9", "-o", "@evil.bin"]);
    let signed = ["sign", "@evil.bin", "--key", "@own.pem", "-o", "@evil.ossp", "--add-key", &own];
    let said = bench.ossp(&signed);
    assert!(said.status.success(), "{said:?}");
    let evil = std::fs::read(bench.path("evil.ossp")).unwrap();
    let (_, length) = Header::parse(&evil).unwrap().unwrap();
    let lure = [&evil[..length], &std::fs::read(bench.path("harmless.bin")).unwrap()].concat();
    std::fs::write(bench.path("lure.ossp"), lure).unwrap();
    let (status, said) = bench.bad(&["sign", "@lure.ossp", "--key", "@trusted.pem", "-o", "@x"]);
    assert_eq!((status, said.contains("something else than its image")), (1, true), "{said}");
    assert!(!bench.path("x").exists());
    // Nor is the signature that it has called good.
    let output = bench.ossp(&["verify", "@lure.ossp", "--key", &own]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(table.contains(&format!("{own}  of another image")) && !table.contains("good"), "{table}");
    // Whoever signs hears what, and whom it lets in.
    let output = bench.ossp(&["sign", "@evil.ossp", "--key", "@trusted.pem", "-o", "@both.ossp"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("adds       {own}\n")) && said.contains("version    0.2.0\n"), "{said}");
    // No signature beside a wrong one.
    let mut wrong = evil;
    wrong[length - 10] = if wrong[length - 10] == b'0' { b'1' } else { b'0' };
    std::fs::write(bench.path("wrong.ossp"), wrong).unwrap();
    let (status, said) = bench.bad(&["sign", "@wrong.ossp", "--key", "@trusted.pem", "-o", "@x"]);
    assert_eq!((status, said.contains("A signature of this package is wrong.")), (1, true), "{said}");
    bench.good(&["verify", "@both.ossp", "--key", &trusted]);
}

#[test]
fn secrets_are_their_owners_and_nothing_is_overwritten_by_chance() {
    let bench = Bench::new("files");
    let first = bench.key("key.pem");
    #[cfg(unix)]
    assert_eq!(mode(&bench.path("key.pem")), 0o600);
    let text = std::fs::read_to_string(bench.path("key.pem")).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{text}");
    let (status, said) = bench.bad(&["keygen", "-o", "@key.pem"]);
    assert_eq!((status, said.contains("--force")), (2, true), "{said}");
    assert_eq!(std::fs::read_to_string(bench.path("key.pem")).unwrap(), text);
    let second = bench.good(&["keygen", "--force", "-o", "@key.pem"]);
    assert_ne!(second, first);
    #[cfg(unix)]
    assert_eq!(mode(&bench.path("key.pem")), 0o600);
    bench.image("image.bin", "0.2.0");
    assert_eq!(bench.bad(&["image", "--version", "0.3.0", "-o", "@image.bin"]).0, 2);
    bench.good(&["sign", "@image.bin", "--key", "@key.pem", "-o", "@image.ossp"]);
    assert_eq!(bench.bad(&["sign", "@image.bin", "--key", "@key.pem", "-o", "@image.ossp"]).0, 2);
    assert!(bench.good(&["verify", "@image.ossp"]).contains(&second));
    // A folder that is not there.
    assert_eq!(bench.bad(&["keygen", "-o", "@none/key.pem"]).0, 1);
}

#[test]
fn what_cannot_be_signed_is_told() {
    let bench = Bench::new("unsigned");
    let public = bench.key("key.pem");
    bench.image("image.bin", "0.2.0");
    std::fs::write(bench.path("text"), "hello").unwrap();
    for (words, status, said) in [
        (&["sign", "@image.bin", "-o", "@x"][..], 2, "--key"),
        (&["sign", "@text", "--key", "@key.pem", "-o", "@x"], 1, "no firmware"),
        (&["sign", "@image.bin", "--key", "@text", "-o", "@x"], 1, "holds no secret key"),
        (&["sign", "@image.bin", "--key", "@key.pem", "-o", "@x", "--oldest", "1"], 2, "a version such as"),
        (
            &["sign", "@image.bin", "--key", "@key.pem", "-o", "@x", "--add-key", "12"],
            2,
            "64 hexadecimal digits",
        ),
        (
            &[
                "sign",
                "@image.bin",
                "--key",
                "@key.pem",
                "-o",
                "@x",
                "--add-key",
                &public,
                "--retire-key",
                &public,
            ],
            2,
            "to be added and to be retired",
        ),
        (
            &["sign", "@image.bin", "--key", "@key.pem", "-o", "@x", "--commit", "a\"b"],
            1,
            "makes no manifest",
        ),
        (&["image", "--version", "1", "-o", "@x"], 2, "a version such as"),
        (&["image", "--version", "1.0.0", "--chip", "esp8266", "-o", "@x"], 2, "esp32c3"),
    ] {
        let (code, told) = bench.bad(words);
        assert_eq!(code, status, "{words:?}: {told}");
        assert!(told.contains(said), "{words:?}: {told}");
    }
    bench.good(&["image", "--version", "0.2.0", "--chip", "esp32c3", "-o", "@c3.bin"]);
    let (status, said) = bench.bad(&["sign", "@c3.bin", "--key", "@key.pem", "-o", "@x"]);
    assert_eq!((status, said.contains("--board")), (2, true), "{said}");
    bench.good(&["sign", "@c3.bin", "--key", "@key.pem", "--board", "ossp-devkit-c3", "-o", "@c3.ossp"]);
    assert!(bench.good(&["verify", "@c3.ossp", "--key", &public]).contains("board      ossp-devkit-c3"));
    // A package is signed as it is.
    let (status, said) =
        bench.bad(&["sign", "@c3.ossp", "--key", "@key.pem", "--board", "other", "-o", "@x"]);
    assert_eq!((status, said.contains("has its manifest already")), (2, true), "{said}");
    assert!(!bench.path("x").exists());
}

#[test]
fn images_of_the_virtual_plug_say_how_they_fail() {
    use ossp::pack::image::Flags;
    let bench = Bench::new("image");
    bench.good(&[
        "image",
        "--version",
        "0.3.0-rc.1",
        "--crash-after",
        "2.5",
        "--never-joins",
        "--size",
        "100000",
        "-o",
        "@a.bin",
    ]);
    let image = std::fs::read(bench.path("a.bin")).unwrap();
    assert_eq!(image.len(), 100_000);
    let flags = Flags { crash_after_s: Some(2.5), never_joins: true, ..Flags::default() };
    assert_eq!(Flags::of(&image[..Flags::WITHIN]), Some(flags));
    assert_eq!(&*AppImage::parse(&image).unwrap().unwrap().version, "0.3.0-rc.1");
    bench.good(&["image", "--version", "0.3.0", "--panic-at-start", "--size", "0", "-o", "@b.bin"]);
    let image = std::fs::read(bench.path("b.bin")).unwrap();
    assert_eq!(Flags::of(&image), Some(Flags { panic_at_start: true, ..Flags::default() }));
}
