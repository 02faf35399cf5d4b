//! Two networks of their own, one of the plug and one of a phone, with a wire between them that stands for the access
//! point's radio. Whoever may make networks for themselves (`unshare --map-root-user`) needs no more rights.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Debian's packages with what is needed, as `./ci.sh install` knows them.
const TOOLS: [(&str, &str); 7] = [
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("udhcpc", "udhcpc"),
    ("dhclient", "isc-dhcp-client"),
    ("dig", "bind9-dnsutils"),
    ("curl", "curl"),
    ("chromium", "chromium"),
];
/// Set where nothing may be left out: in CI.
const REQUIRED: &str = "OSSP_REQUIRE_NETWORKS";
/// How long a test waits for what must come: a machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Both networks; gone when it is dropped.
pub struct Air {
    plug: Child,
    phone: Child,
    folder: PathBuf,
}

impl Air {
    /// `None`, and a word about it, where this machine lacks a tool or does not let us; in CI that is a failure.
    pub fn new(name: &str) -> Option<Self> {
        let missing = missing();
        if let Some(words) = missing {
            assert!(std::env::var_os(REQUIRED).is_none(), "{words}");
            eprintln!("left out: {words}");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("ossp-air-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let plug = idle(Command::new("unshare").args(["--net", "--map-root-user"]));
        let phone = idle(enter(&plug, &["--net"]).args(["unshare", "--net", "--mount"]));
        let air = Self { plug, phone, folder };
        let phone = air.phone.id().to_string();
        for line in [
            "ip link set lo up",
            &format!("ip link add radio type veth peer name phone netns {phone}"),
            "ip address add 192.168.4.1/24 dev radio",
            "ip link set radio up",
        ] {
            works(&mut air.at_the_plug(line));
        }
        works(&mut air.on_the_phone("ip link set lo up"));
        works(&mut air.on_the_phone("ip link set phone up"));
        Some(air)
    }

    /// A folder that goes away with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command, its words apart, in the plug's network.
    pub fn at_the_plug(&self, line: &str) -> Command {
        let mut command = enter(&self.plug, &["--net"]);
        command.args(line.split_whitespace());
        command
    }

    /// The same in the phone's, which also has files of its own.
    pub fn on_the_phone(&self, line: &str) -> Command {
        let mut command = enter(&self.phone, &["--net", "--mount"]);
        command.args(line.split_whitespace());
        command
    }

    /// What the phone hears, whatever becomes of it.
    pub fn ask(&self, line: &str) -> String {
        let Output { stdout, .. } = self.on_the_phone(line).output().unwrap();
        String::from_utf8(stdout).unwrap()
    }

    /// The first answer that pleases.
    #[track_caller]
    pub fn await_answer(&self, line: &str, pleases: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let answer = self.ask(line);
            if pleases(&answer) {
                return answer;
            }
            assert!(begin.elapsed() < PATIENCE, "{line}: {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The program in the plug's network, with an access point that the phone reaches.
    pub fn start(&self, more: &[&str]) -> Running {
        let mut child = self
            .at_the_plug(env!("CARGO_BIN_EXE_ossp"))
            .args(["run", "--listen", "127.0.0.1:0", "--access-point", "192.168.4.1", "--state"])
            .arg(self.folder.join("state"))
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("http://"), "{line}");
        Running::new(child)
    }

    /// Sockets of the plug's network without a peer, `udp 0100007F:0035`, as the kernel writes addresses.
    pub fn sockets(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (table, waiting) in [("tcp", "0A"), ("udp", "07")] {
            let text = std::fs::read_to_string(format!("/proc/{}/net/{table}", self.plug.id())).unwrap();
            let fields = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
            found.extend(fields.filter(|f| f[3] == waiting).map(|f| format!("{table} {}", f[1])));
        }
        found.sort();
        found
    }

    /// The phone asks for an address with one of the two clients; its script's words, `name=value` a line.
    pub fn ask_for_an_address(&self, client: Client) -> String {
        let words = self.folder.join("words");
        let _ = std::fs::remove_file(&words);
        let script = self.folder.join("client.sh");
        std::fs::write(&script, client.script(&words, &self.folder.join("resolv.conf"))).unwrap();
        works(Command::new("chmod").arg("+x").arg(&script));
        works(&mut self.on_the_phone("ip address flush dev phone"));
        let (script, folder) = (script.display(), self.folder.display());
        let stays = matches!(client, Client::Dhclient);
        let mut client = match client {
            Client::Udhcpc => self.on_the_phone(&format!("udhcpc -f -n -q -t 20 -i phone -s {script}")),
            Client::Dhclient => self.on_the_phone(&format!(
                "dhclient -1 -sf {script} -cf /dev/null -lf {folder}/leases -pf {folder}/pid phone"
            )),
        };
        works(&mut client);
        let words = std::fs::read_to_string(&words).unwrap();
        if stays {
            self.end_dhclient();
        }
        words
    }

    /// It stays and renews. The one that asked may be gone before the one that stays has written who it is.
    fn end_dhclient(&self) {
        let file = self.folder.join("pid");
        let begin = Instant::now();
        let id = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if text.ends_with('\n') {
                break text;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "dhclient says {text:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        works(Command::new("kill").arg(id.trim()));
        std::fs::remove_file(file).unwrap();
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        for child in [&mut self.phone, &mut self.plug] {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A program for addresses.
#[derive(Clone, Copy, Debug)]
pub enum Client {
    /// BusyBox's.
    Udhcpc,
    /// ISC's.
    Dhclient,
}

impl Client {
    /// What it runs with the answer: takes the address, has names asked there, and tells what it was told. The usual
    /// scripts would change the files of the whole machine.
    fn script(self, words: &Path, names: &Path) -> String {
        let (words, names) = (words.display(), names.display());
        let (when, told) = match self {
            Self::Udhcpc => (
                "[ \"$1\" = bound ]",
                "ip=$ip mask=$subnet router=$router dns=$dns lease=$lease server=$serverid",
            ),
            Self::Dhclient => (
                "[ \"$reason\" = BOUND ] || [ \"$reason\" = REBOOT ]",
                "ip=$new_ip_address mask=$new_subnet_mask router=$new_routers dns=$new_domain_name_servers \
                 lease=$new_dhcp_lease_time server=$new_dhcp_server_identifier",
            ),
        };
        format!(
            "#!/bin/sh\n{when} || exit 0\nset -e\nset -- {told}\nfor word in \"$@\"; do echo \"$word\" >> {words}; done\n\
             ip address add \"${{1#ip=}}/24\" dev phone\necho \"nameserver ${{4#dns=}}\" > {names}\n\
             mount --bind {names} /etc/resolv.conf\n"
        )
    }
}

/// A program that ends when it is dropped.
pub struct Running(Child);

impl Running {
    /// One that was just started.
    pub fn new(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What this machine lacks, in words.
fn missing() -> Option<String> {
    let there = |tool: &str| {
        let folders = std::env::var("PATH").unwrap_or_default();
        let folders = folders.split(':').chain(["/usr/sbin", "/sbin"]).map(str::to_owned);
        folders.into_iter().any(|folder| Path::new(&folder).join(tool).exists())
    };
    if let Some((tool, package)) = TOOLS.iter().find(|(tool, _)| !there(tool)) {
        return Some(format!("{tool} is missing; install {package} (./ci.sh install does)"));
    }
    let mut tried = Command::new("unshare");
    let tried =
        tried.args(["--net", "--map-root-user", "ip", "link"]).stdout(Stdio::null()).stderr(Stdio::null());
    let may = tried.status().is_ok_and(|status| status.success());
    (!may).then(|| {
        "this machine lets nobody make networks of their own (unshare --net --map-root-user)".to_owned()
    })
}

/// `nsenter` for the spaces of a process that is in one of ours.
fn enter(of: &Child, spaces: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--target={}", of.id())).args(["--user", "--preserve-credentials"]).args(spaces);
    command
}

/// Something that does nothing, in spaces of its own; waits until it is there.
fn idle(unshare: &mut Command) -> Child {
    let mut child =
        unshare.args(["sh", "-c", "echo there; exec sleep 3600"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "there\n");
    child
}

#[track_caller]
pub fn works(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
