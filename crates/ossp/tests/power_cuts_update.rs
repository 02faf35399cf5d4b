//! Power cuts while the choice of the firmware changes: at any step of a write or an erase of the record, in an activation,
//! a crash's mark, a confirmation, a way back, and in what the boot loader writes itself. Afterwards a boot loader that
//! knows rollback and one that does not both start the old image or the new one, the same, and never nothing.
//!
//! `OSSP_POWER_CUTS` is how many cuts (700; 35,000 in `./ci.sh long`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod power_cuts;

use futures_lite::future::block_on;
use ossp::host::{BootLoader, RunningImage, VirtualSlots, boot};
use ossp::pack::image::{Flags, image};
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::platform::{ImageState, UpdateSlots};
use plug::update::beside;
use plug::update::record::{self, Reached, Record, Standing, Why};
use plug::update::trial::{self, Begin};

use power_cuts::{Dice, cuts, progress};

const LOADERS: [BootLoader; 2] = [BootLoader::Plain, BootLoader::WithRollback];
const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];

/// A plug that is off.
#[derive(Clone)]
struct Plug {
    slots: [SimFlash; 2],
    record: SimFlash,
}

/// Which slot is started, and what is known of its image.
type Choice = (u8, Standing);

impl Plug {
    /// With a whole image in each slot and a record that nobody wrote.
    fn new(seed: u64) -> Self {
        let slot = |version| {
            let mut flash = SimFlash::new(2, seed);
            let image = image(version, &Flags::default(), 0);
            block_on(embedded_storage_async::nor_flash::NorFlash::write(&mut flash, 0, &image)).unwrap();
            flash
        };
        Self { slots: VERSIONS.map(slot), record: SimFlash::new(2, seed) }
    }

    /// Starts it; `None` if the boot loader finds nothing to start, or the power goes meanwhile.
    fn start(&self, loader: BootLoader) -> Option<VirtualSlots<SimFlash>> {
        let Self { slots, record } = self.clone();
        block_on(VirtualSlots::boot(slots, record, loader)).ok()
    }

    fn off(slots: VirtualSlots<SimFlash>) -> Self {
        let (mut slots, mut record) = slots.into_parts();
        slots.iter_mut().for_each(SimFlash::restore_power);
        record.restore_power();
        Self { slots, record }
    }

    /// What both boot loaders choose.
    fn choice(&self, what: &str) -> Choice {
        let [plain, with_rollback] = LOADERS.map(|loader| {
            let mut record = self.record.clone();
            block_on(boot(&mut record, [true; 2], loader)).unwrap().unwrap()
        });
        assert_eq!(plain, with_rollback, "after {what} the boot loaders do not agree");
        let mut slots = self.start(BootLoader::Plain).unwrap();
        assert_eq!(slots.running(), plain);
        let record = block_on(Record::read(&mut slots)).unwrap();
        assert!(record.chosen().is_none_or(|chosen| chosen == plain), "after {what} we think otherwise");
        (plain, record.standing(plain))
    }

    /// Whether the image that is chosen was started since.
    fn started(&self) -> bool {
        let mut slots = self.start(BootLoader::Plain).unwrap();
        block_on(beside::stretches(&mut slots)).unwrap() > 0
    }
}

/// How an image stands that was activated.
fn trial(before: Reached, asked_back: bool) -> Standing {
    Standing::OnTrial { before, crashes: 0, asked_back }
}

/// Something that changes the record.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// And whether somebody went back to it.
    Activate(Reached, bool),
    Confirm,
    Start(&'static str),
    GoBack,
}

impl Deed {
    /// Something that can happen to a plug that stands so.
    fn any(dice: &mut Dice, now: Standing) -> Self {
        let reasons = ["panic", "watchdog", "power_on", "brownout", "software"];
        let reached = [Reached::Network, Reached::AccessPoint, Reached::Nothing];
        match (now, dice.below(4)) {
            (_, 0) => Self::Start(reasons[dice.below(5) as usize]),
            (Standing::OnTrial { .. }, 1) => Self::Confirm,
            (Standing::OnTrial { .. }, 2) => Self::GoBack,
            (Standing::OnTrial { .. }, _) => Self::Start("panic"),
            _ => Self::Activate(reached[dice.below(3) as usize], dice.below(2) == 0),
        }
    }

    /// What may be chosen afterwards if it is not cut off: one of these, the last one as a rule. What leads to the first start
    /// of a new image says nothing about it.
    fn after(self, (slot, standing): Choice, was_started: bool) -> Vec<Choice> {
        let other = 1 - slot;
        match (self, standing) {
            (Self::Activate(before, asked_back), _) => vec![(other, trial(before, asked_back))],
            (Self::Confirm, Standing::OnTrial { asked_back: true, .. }) => {
                vec![(slot, Standing::Returned(Why::Asked))]
            }
            (Self::Confirm, _) => vec![(slot, Standing::Confirmed)],
            (Self::GoBack, _) => vec![(other, Standing::Returned(Why::NotConfirmed))],
            (Self::Start("panic" | "watchdog"), Standing::OnTrial { before, crashes, asked_back })
                if was_started =>
            {
                let marked = (slot, Standing::OnTrial { before, crashes: crashes + 1, asked_back });
                let back = (other, Standing::Returned(Why::Crashed));
                if crashes >= 2 { vec![marked, back] } else { vec![marked] }
            }
            (Self::Start(_), Standing::OnTrial { crashes: 3, .. }) => {
                vec![(other, Standing::Returned(Why::Crashed))]
            }
            (Self::Start(_), _) => vec![(slot, standing)],
        }
    }

    async fn happen(self, slots: &mut VirtualSlots<SimFlash>) -> bool {
        match self {
            Self::Activate(before, asked_back) => {
                let other = 1 - slots.running();
                record::choose(slots, other, trial(before, asked_back), Some(1.8e9)).await.is_ok()
            }
            Self::Confirm => record::mark_confirmed(slots, Some(1.8e9)).await.is_ok(),
            Self::Start(reason) => {
                trial::begin(slots, reason).await;
                true
            }
            Self::GoBack => trial::go_back(slots, Why::NotConfirmed, None).await,
        }
    }
}

/// Does it with the power gone after so many steps of the record; whether it was cut off.
fn cut(plug: &Plug, deed: Deed, loader: BootLoader, steps: u32) -> (Plug, bool) {
    let mut plug = plug.clone();
    plug.record.restore_power();
    let mut slots = plug.start(loader).unwrap();
    let (flashes, mut record) = slots.into_parts();
    record.cut_power_after(steps);
    slots = VirtualSlots::started(flashes, record, plug.choice("nothing").0);
    block_on(deed.happen(&mut slots));
    let (flashes, mut record) = slots.into_parts();
    let was_cut = record.is_off();
    record.restore_power();
    (Plug { slots: flashes, record }, was_cut)
}

/// Records as they can be before an update, beside the one that nobody wrote: written by a boot loader at a first start,
/// and by others who let a boot loader with rollback abort their images.
fn beginnings(seed: u64) -> Vec<Plug> {
    let mut first = Plug::new(seed);
    block_on(boot(&mut first.record, [true; 2], BootLoader::Plain)).unwrap();
    let foreign = |sequence: u32, state: u32| {
        let mut bytes = [0xff; 32];
        bytes[..4].copy_from_slice(&sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&state.to_le_bytes());
        // CRC-32 of the sequences 1, 2 and 3.
        let checksums = [0x4743_989a_u32, 0x55f6_3774, 0xed4a_5011];
        bytes[28..].copy_from_slice(&checksums[sequence as usize - 1].to_le_bytes());
        bytes
    };
    let mut plugs = vec![Plug::new(seed), first];
    for [one, other] in [[(1, 2), (2, 4)], [(3, 4), (2, 2)], [(1, 3), (2, 2)], [(3, 2), (2, 3)]] {
        let mut plug = Plug::new(seed);
        for (sector, (sequence, state)) in [one, other].into_iter().enumerate() {
            plug.record.bytes()[sector * SECTOR..][..32].copy_from_slice(&foreign(sequence, state));
        }
        plugs.push(plug);
    }
    plugs
}

#[test]
fn each_step_of_each_change_leaves_the_old_choice_or_the_new_one() {
    let mut done = 0;
    for (beginning, seed) in (0..6).flat_map(|beginning| (0..3).map(move |seed| (beginning, seed))) {
        let mut plug = beginnings(seed).swap_remove(beginning);
        // Activated, crashed twice, back after the third time; activated once more, and back by itself; and confirmed.
        for deed in [
            Deed::Activate(Reached::Network, false),
            Deed::Start("software"),
            Deed::Start("power_on"),
            Deed::Start("panic"),
            Deed::Start("watchdog"),
            Deed::Start("panic"),
            // One whose first start is due to a crash of the one before.
            Deed::Activate(Reached::Network, false),
            Deed::Start("panic"),
            Deed::Start("watchdog"),
            Deed::GoBack,
            Deed::Activate(Reached::AccessPoint, false),
            Deed::GoBack,
            Deed::Activate(Reached::Nothing, false),
            Deed::Confirm,
            // Back to the one before, which crashes; and once more, to stay.
            Deed::Activate(Reached::Network, true),
            Deed::Start("software"),
            Deed::Start("panic"),
            Deed::Start("panic"),
            Deed::Start("panic"),
            Deed::Activate(Reached::AccessPoint, true),
            Deed::Confirm,
            Deed::Activate(Reached::Network, false),
        ] {
            let loader = LOADERS[seed as usize % 2];
            let before = plug.choice("what was before");
            let after = deed.after(before, plug.started());
            for steps in 0.. {
                let (left, was_cut) = cut(&plug, deed, loader, steps);
                let what = format!("{deed:?} cut after {steps} steps");
                let found = left.choice(&what);
                if !was_cut {
                    assert_eq!(found, *after.last().unwrap(), "{what}");
                    plug = left;
                    break;
                }
                done += 1;
                assert!(found == before || after.contains(&found), "{what}: {before:?} became {found:?}");
                // Whatever was left, it can be done now.
                if found == before {
                    let (whole, was_cut) = cut(&left, deed, loader, u32::MAX);
                    assert!(!was_cut);
                    let after = deed.after(before, left.started());
                    assert_eq!(whole.choice(&what), *after.last().unwrap(), "{what}, then whole");
                }
            }
        }
    }
    assert!(done > 1400, "{done} cuts");
}

#[test]
fn lives_full_of_cuts_never_leave_nothing_to_start() {
    let (mut dice, wanted) = (Dice::new(7), cuts());
    let (mut done, mut seen) = (0, [0_u32; 4]);
    while done < wanted {
        let loader = LOADERS[dice.below(2) as usize];
        let mut plug = beginnings(dice.roll()).swap_remove(dice.below(6) as usize);
        let mut now = plug.choice("the beginning");
        for _ in 0..30 {
            let deed = Deed::any(&mut dice, now.1);
            let after = deed.after(now, plug.started());
            let (left, was_cut) = cut(&plug, deed, loader, dice.below(20) as u32);
            plug = left;
            let found = plug.choice("a cut");
            let good =
                if was_cut { found == now || after.contains(&found) } else { after.last() == Some(&found) };
            assert!(good, "{deed:?}, cut: {was_cut}: {now:?} became {found:?}");
            done += u32::from(was_cut);
            match found.1 {
                Standing::Confirmed => seen[0] += 1,
                Standing::Returned(Why::Crashed) => seen[1] += 1,
                Standing::Returned(Why::NotConfirmed) => seen[2] += 1,
                Standing::Returned(Why::Asked) => seen[3] += 1,
                _ => {}
            }
            now = found;
        }
        progress("update", done.min(wanted), wanted);
    }
    assert!(seen.iter().all(|count| *count > 0), "some end never came about: {seen:?}");
}

#[test]
fn a_first_start_that_is_cut_off_starts_the_first_slot_all_the_same() {
    for (loader, steps, seed) in LOADERS
        .into_iter()
        .flat_map(|loader| (0..13).flat_map(move |steps| (0..20).map(move |seed| (loader, steps, seed))))
    {
        let mut plug = Plug::new(seed);
        plug.record.cut_power_after(steps);
        let _ = block_on(boot(&mut plug.record, [true; 2], loader));
        plug.record.restore_power();
        assert_eq!(plug.choice("a cut first start"), (0, Standing::Unrecorded));
    }
}

#[test]
fn a_damaged_image_is_not_started_and_the_other_one_is_chosen_for_good() {
    for loader in LOADERS {
        let plug = Plug::new(1);
        let mut slots = plug.start(loader).unwrap();
        assert_eq!(block_on(trial::begin(&mut slots, "power_on")), Begin::Runs(ImageState::Unrecorded));
        let trial = trial(Reached::Network, false);
        block_on(record::choose(&mut slots, 1, trial, None)).unwrap();
        let mut plug = Plug::off(slots);
        assert_eq!(plug.choice("an activation"), (1, trial));
        let whole = plug.slots[1].bytes()[100];
        plug.slots[1].bytes()[100] ^= 1;
        let mut slots = plug.start(loader).unwrap();
        assert_eq!(slots.running(), 0);
        assert_eq!(block_on(trial::begin(&mut slots, "power_on")), Begin::Runs(ImageState::Confirmed));
        // Even if it is mended, nobody starts it unasked.
        let mut plug = Plug::off(slots);
        plug.slots[1].bytes()[100] = whole;
        assert_eq!(plug.choice("damage"), (0, Standing::Returned(Why::Damaged)));
    }
    // Nor is one that comes to lie in slot 0 while slot 1 runs for want of it.
    let mut plug = Plug::new(2);
    let whole = plug.slots[0].bytes().to_vec();
    plug.slots[0].bytes()[100] ^= 1;
    plug.record.bytes().fill(0xff);
    let mut slots = plug.start(BootLoader::Plain).unwrap();
    assert_eq!(slots.running(), 1);
    block_on(trial::begin(&mut slots, "power_on"));
    let mut plug = Plug::off(slots);
    plug.slots[0].bytes().copy_from_slice(&whole);
    assert_eq!(plug.choice("a new image"), (1, Standing::Unrecorded));
}

#[test]
fn only_crashes_count_and_the_third_goes_back() {
    for crash in ["panic", "watchdog"] {
        let mut slots = Plug::new(3).start(BootLoader::Plain).unwrap();
        block_on(record::choose(&mut slots, 1, trial(Reached::Nothing, false), None)).unwrap();
        let mut plug = Plug::off(slots);
        for crashes in 1..=3 {
            for reason in ["power_on", "brownout", "software", "other", "unknown", crash] {
                let mut slots = plug.start(BootLoader::Plain).unwrap();
                let version = block_on(RunningImage::read(&mut slots)).unwrap().version;
                assert_eq!(version, VERSIONS[1]);
                let begin = block_on(trial::begin(&mut slots, reason));
                let back = crashes == 3 && reason == crash;
                let expected = if back { Begin::WentBack } else { Begin::Runs(ImageState::OnProbation) };
                assert_eq!(begin, expected, "{reason} after {crashes}");
                plug = Plug::off(slots);
            }
        }
        assert_eq!(plug.choice("three crashes"), (0, Standing::Returned(Why::Crashed)));
        // The old one may crash as it likes.
        for _ in 0..4 {
            let mut slots = plug.start(BootLoader::Plain).unwrap();
            assert_eq!(block_on(trial::begin(&mut slots, crash)), Begin::Runs(ImageState::Confirmed));
            plug = Plug::off(slots);
        }
    }
}

/// It restarts itself as if somebody had asked for it, again and again, before it has come far enough to look at a clock.
#[test]
fn planned_restarts_use_up_the_time_of_a_trial_and_nothing_else_does() {
    let mut slots = Plug::new(6).start(BootLoader::Plain).unwrap();
    block_on(record::choose(&mut slots, 1, trial(Reached::Network, false), None)).unwrap();
    let mut plug = Plug::off(slots);
    let mut planned = 0;
    let begun = loop {
        for reason in ["power_on", "brownout", "other", "unknown"] {
            let mut slots = plug.start(BootLoader::Plain).unwrap();
            let begin = block_on(trial::begin(&mut slots, reason));
            assert_eq!(begin, Begin::Runs(ImageState::OnProbation), "{reason}");
            plug = Plug::off(slots);
        }
        let mut slots = plug.start(BootLoader::Plain).unwrap();
        let begin = block_on(trial::begin(&mut slots, "software"));
        planned += 1;
        assert_eq!(block_on(beside::stretches(&mut slots)).unwrap() == 0, begin == Begin::WentBack);
        plug = Plug::off(slots);
        if begin == Begin::WentBack {
            break plug.choice("many restarts");
        }
    };
    assert_eq!(begun, (0, Standing::Returned(Why::NotConfirmed)));
    // Ten minutes in stretches of twenty seconds, and the last straw.
    assert_eq!(planned, 31);
    // The one before restarts as it likes.
    for _ in 0..40 {
        let mut slots = plug.start(BootLoader::Plain).unwrap();
        assert_eq!(block_on(trial::begin(&mut slots, "software")), Begin::Runs(ImageState::Confirmed));
        plug = Plug::off(slots);
    }
}

#[test]
fn the_record_knows_when_where_somebody_did() {
    let begin = || Plug::new(8).start(BootLoader::Plain).unwrap();
    let when = |slots: &mut VirtualSlots<SimFlash>| block_on(beside::when(slots)).unwrap();
    let mut slots = begin();
    assert_eq!(when(&mut slots), None);
    for (chosen, confirmed) in [(Some(1.8e9), Some(1.9e9)), (Some(1.8e9), None), (None, Some(1.9e9))] {
        let mut slots = begin();
        block_on(record::choose(&mut slots, 1, trial(Reached::Network, false), chosen)).unwrap();
        let mut slots = Plug::off(slots).start(BootLoader::Plain).unwrap();
        assert_eq!(when(&mut slots), chosen);
        block_on(record::mark_confirmed(&mut slots, confirmed)).unwrap();
        assert_eq!(when(&mut slots), confirmed);
        // When somebody went back, not when that proved itself.
        block_on(record::choose(&mut slots, 0, trial(Reached::Network, true), chosen)).unwrap();
        let mut slots = Plug::off(slots).start(BootLoader::Plain).unwrap();
        block_on(record::mark_confirmed(&mut slots, confirmed)).unwrap();
        assert_eq!(when(&mut slots), chosen);
    }
    // Of a time that was half written nothing is told, nor of one that no clock says.
    for at in 32..40 {
        let mut slots = begin();
        block_on(record::choose(&mut slots, 1, trial(Reached::Network, false), Some(1_800_000_123.0)))
            .unwrap();
        let mut plug = Plug::off(slots);
        plug.record.bytes()[SECTOR + at] = 0xff;
        let mut slots = plug.start(BootLoader::Plain).unwrap();
        assert_eq!(when(&mut slots), None, "{at}");
    }
    for time in [0.0, -5.0, f64::NAN, 1e20] {
        let mut slots = begin();
        block_on(record::choose(&mut slots, 1, trial(Reached::Network, false), Some(time))).unwrap();
        assert_eq!(when(&mut slots), None, "{time}");
    }
}

#[test]
fn a_crash_of_the_image_before_does_not_count() {
    let mut slots = Plug::new(6).start(BootLoader::Plain).unwrap();
    let new = trial(Reached::Network, false);
    block_on(record::choose(&mut slots, 1, new, None)).unwrap();
    let mut plug = Plug::off(slots);
    assert!(!plug.started());
    // It crashes before it restarts; the new one does so after its first start.
    for crashes in 0..3 {
        let mut slots = plug.start(BootLoader::Plain).unwrap();
        assert_eq!(block_on(trial::begin(&mut slots, "panic")), Begin::Runs(ImageState::OnProbation));
        plug = Plug::off(slots);
        let expected = Standing::OnTrial { before: Reached::Network, crashes, asked_back: false };
        assert_eq!((plug.choice("a crash"), plug.started()), ((1, expected), true));
    }
    let mut slots = plug.start(BootLoader::Plain).unwrap();
    assert_eq!(block_on(trial::begin(&mut slots, "panic")), Begin::WentBack);
}

#[test]
fn a_flash_that_takes_nothing_leaves_the_plug_running() {
    let mut slots = Plug::new(4).start(BootLoader::Plain).unwrap();
    block_on(record::choose(&mut slots, 1, trial(Reached::Nothing, false), None)).unwrap();
    let slots = Plug::off(slots).start(BootLoader::Plain).unwrap();
    let (flashes, mut record) = slots.into_parts();
    record.break_down();
    let mut slots = VirtualSlots::started(flashes, record, 1);
    assert_eq!(block_on(trial::begin(&mut slots, "panic")), Begin::Runs(ImageState::Unrecorded));
    assert!(block_on(record::choose(&mut slots, 0, Standing::Returned(Why::Crashed), None)).is_err());
    assert!(block_on(record::mark_confirmed(&mut slots, None)).is_err());
}

#[test]
fn an_aborted_entry_does_not_rise_again_in_the_middle_of_its_erase() {
    for mut plug in beginnings(5).split_off(2) {
        let before = plug.choice("the beginning");
        // After the first step nothing more is done, and then the worst erase: the state is blank, all else as it was.
        plug = cut(&plug, Deed::Activate(Reached::Network, false), BootLoader::Plain, 1).0;
        for sector in [0, SECTOR] {
            plug.record.bytes()[sector + 24..][..4].fill(0xff);
        }
        assert_eq!(plug.choice("half an erase").0, before.0);
    }
}
