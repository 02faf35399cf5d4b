//! Scenarios: what the virtual plug is plugged into, what is plugged into it, and what happens to both.

mod error;
mod number;
pub(crate) mod schema;
mod words;

use std::path::Path;
use std::sync::Arc;

use super::wave::Wave;
use schema::Settings;

pub use error::ScenarioError;

/// Every built-in scenario: its name and its file.
const BUILT_IN: [(&str, &str); 16] = [
    ("day", include_str!("../../../scenarios/day.toml")),
    ("first-start", include_str!("../../../scenarios/first_start.toml")),
    ("kettle", include_str!("../../../scenarios/kettle.toml")),
    ("fridge", include_str!("../../../scenarios/fridge.toml")),
    ("laptop", include_str!("../../../scenarios/laptop.toml")),
    ("led", include_str!("../../../scenarios/led.toml")),
    ("drill", include_str!("../../../scenarios/drill.toml")),
    ("dimmer", include_str!("../../../scenarios/dimmer.toml")),
    ("standby", include_str!("../../../scenarios/standby.toml")),
    ("heater", include_str!("../../../scenarios/heater.toml")),
    ("half_wave", include_str!("../../../scenarios/half_wave.toml")),
    ("solar", include_str!("../../../scenarios/solar.toml")),
    ("short", include_str!("../../../scenarios/short.toml")),
    ("stuck_heater", include_str!("../../../scenarios/stuck_heater.toml")),
    ("welded", include_str!("../../../scenarios/welded.toml")),
    ("none", include_str!("../../../scenarios/none.toml")),
];

/// Something that can be simulated.
#[derive(Clone, Debug)]
pub struct Scenario {
    name: String,
    description: String,
    pub(super) origin: Origin,
}

/// Where the voltage and the current come from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// From physics.
    Model(Box<Settings>),
    /// From a recording, through the front end that is given.
    Wave(Arc<Wave>, Box<Settings>),
}

impl Scenario {
    /// Names of the built-in scenarios; `day` is for those who do not choose.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The scenario for those who do not choose: something alive.
    #[must_use]
    pub fn default_name() -> &'static str {
        "day"
    }

    /// A built-in scenario.
    ///
    /// # Errors
    /// If there is none of this name; the sentence lists those that there are.
    pub fn builtin(name: &str) -> Result<Self, ScenarioError> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => {
                let mut scenario = Self::from_text(&format!("{name}.toml"), text)?;
                name.clone_into(&mut scenario.name);
                Ok(scenario)
            }
            None => Err(ScenarioError::Unknown { name: name.to_owned(), names: Self::names().collect() }),
        }
    }

    /// A scenario file.
    ///
    /// # Errors
    /// If it cannot be read, or something in it is wrong: which line, and what would be right.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let mut scenario = Self::from_text(&file, &text)?;
                scenario.name = name_of(path);
                Ok(scenario)
            }
            Err(error) => Err(ScenarioError::Unreadable { file, reason: reason(&error) }),
        }
    }

    /// The text of a scenario file; `file` is what errors call it.
    ///
    /// # Errors
    /// If something in it is wrong: which line, and what would be right.
    pub fn from_text(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let wrong = |line, message| ScenarioError::Wrong { file: file.to_owned(), line, message };
        let settings: Settings = toml::from_str(text).map_err(|error| {
            let line = line_at(text, error.span().map_or(0, |span| span.start));
            wrong(line, explain(error.message(), text.lines().nth(line - 1).unwrap_or_default()))
        })?;
        if let Err((key, message)) = check(&settings.front_end) {
            return Err(wrong(line_of(text, key), message.to_owned()));
        }
        Ok(Self {
            name: file.to_owned(),
            description: settings.description.clone(),
            origin: Origin::Model(Box::new(settings)),
        })
    }

    /// A recording, looped over whole cycles. One in volts and amperes is seen by the `virtual` board's converter
    /// at the recording's rate; one in counts is played as it is.
    ///
    /// # Errors
    /// If it is no recording, or has no whole cycle.
    pub fn from_recording(path: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let wave = Wave::open(path.as_ref())?;
        Ok(Self {
            name: name_of(path.as_ref()),
            description: wave.description().to_owned(),
            origin: Origin::Wave(Arc::new(wave), Box::default()),
        })
    }

    /// What `--source` names: `sim:NAME`, `sim:FILE.toml` or `wave:FILE.csv`.
    ///
    /// # Errors
    /// If it names nothing that can be simulated.
    pub fn from_source(source: &str) -> Result<Self, ScenarioError> {
        match source.split_once(':') {
            Some(("sim", name)) => Self::from_name_or_file(name),
            Some(("wave", file)) => Self::from_recording(file),
            _ => Err(ScenarioError::Source { found: source.to_owned() }),
        }
    }

    /// What `--scenario` names: a built-in scenario, or a file that ends in `.toml`.
    ///
    /// # Errors
    /// If it names neither.
    pub fn from_name_or_file(name: &str) -> Result<Self, ScenarioError> {
        if Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            Self::from_file(name)
        } else {
            Self::builtin(name)
        }
    }

    /// Name of the built-in scenario or of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it shows, in words; may be empty.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What the plug measures, in a few words: `simulated kettle`, `recording fridge.csv`.
    #[must_use]
    pub fn source(&self) -> String {
        match self.origin {
            Origin::Model(_) => format!("simulated {}", self.name),
            Origin::Wave(..) => format!("recording {}", self.name),
        }
    }

    /// Whether somebody presses the plug's button in it, now and then or once.
    #[must_use]
    pub fn presses_the_button(&self) -> bool {
        let (Origin::Model(settings) | Origin::Wave(_, settings)) = &self.origin;
        !settings.event.button.is_empty()
    }

    /// Whether the plug knows the time of day by itself, as a PC does and a chip does not.
    #[must_use]
    pub fn knows_the_time(&self) -> bool {
        let (Origin::Model(settings) | Origin::Wave(_, settings)) = &self.origin;
        settings.clock.known
    }

    /// What is in the air around the plug; `None`: it has no radio.
    pub(crate) fn radio(&self) -> Option<&schema::Radio> {
        let (Origin::Model(settings) | Origin::Wave(_, settings)) = &self.origin;
        settings.radio.as_ref()
    }

    /// Something that the user should know although it is no error: that a long recording was cut.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        match &self.origin {
            Origin::Model(_) => None,
            Origin::Wave(wave, _) => wave.notice(),
        }
    }
}

/// What a field's own limits cannot see: the key that is wrong, and what would be right.
fn check(front_end: &schema::FrontEnd) -> Result<(), (&'static str, &'static str)> {
    let (lowest, highest) = super::front_end::rails(front_end);
    let is_inside =
        |zero: Option<f64>| zero.is_none_or(|zero| zero > f64::from(lowest) && zero < f64::from(highest));
    if !is_inside(front_end.voltage_zero) {
        return Err(("voltage_zero", "`voltage_zero` must be a code that the converter has"));
    }
    if !is_inside(front_end.current_zero) {
        return Err(("current_zero", "`current_zero` must be a code that the converter has"));
    }
    if front_end.current_phase_deg < 0.0 && front_end.current_dc_coupled {
        return Err((
            "current_phase_deg",
            "a current that is early (`current_phase_deg` below 0) comes from a transformer: set `current_dc_coupled = false`",
        ));
    }
    Ok(())
}

/// The parser's words on one line, with the line that they are about.
fn explain(message: &str, line: &str) -> String {
    let message = match message {
        "invalid type: map, expected a sequence" => {
            "there may be several of these, so it is written with two brackets, as in `[[load.kettle]]`"
                .to_owned()
        }
        message => message.lines().collect::<Vec<_>>().join(", "),
    };
    match line.split('#').next().unwrap_or_default().trim() {
        "" => message,
        line => format!("{message} (in `{}`)", line.chars().take(60).collect::<String>()),
    }
}

/// A file's name without its folder.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The line of a place in a text, from 1.
fn line_at(text: &str, place: usize) -> usize {
    1 + text.bytes().take(place).filter(|byte| *byte == b'\n').count()
}

/// The line on which a key is set, from 1.
fn line_of(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    1 + text.lines().position(sets).unwrap_or(0)
}

/// An error of the operating system in words for people.
fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory => "this is a directory, not a scenario".to_owned(),
        ErrorKind::InvalidData => "the file is not UTF-8 text".to_owned(),
        _ => format!("the file could not be read: {error}"),
    }
}
