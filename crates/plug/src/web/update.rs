//! `GET /api/v1/update`: what runs, what lies beside it, and how an update stands.

use core::fmt::{Result as Written, Write};

use embassy_sync::blocking_mutex::raw::RawMutex;

use super::problem::Problem;
use super::reply::Reply;
use super::site::Site;
use super::uplink::{Maybe, made};
use crate::access::Hex;
use crate::json::{Number, Quoted, write_quoted};
use crate::platform::{Clock, ImageState};
use crate::update::desk::{Last, Outcome};
use crate::update::judge::PROJECT;
use crate::update::keys::{Accept, AcceptedKeys, Source};
use crate::update::probation::{self, Network};
use crate::update::{Firmware, Image, Other, OtherState};

pub(super) fn show<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let (state, identity) = (site.plug.state, site.plug.identity);
    let firmware = state.firmware.borrow();
    let settings = state.settings.borrow();
    let key = site.plug.defaults.update_key;
    let keys = AcceptedKeys::of(key, &settings.update);
    // Whoever reads this has credentials, unless nobody owns the plug yet: then the same holds as for `info`.
    let hash = firmware.image_sha256.filter(|_| state.access.has_owner() || site.plug.defaults.are_public());
    made(site, &|out| {
        let (progress, size, received) = state.update.progress();
        write!(out, "{{\"state\":\"{}\",\"running\":", progress.word())?;
        match state.image.get() {
            None => out.write_str("null")?,
            Some(image) => {
                write_running(image, &firmware, hash.as_ref(), &identity.version, out)?;
                write!(
                    out,
                    ",\"git\":{},\"project\":\"{PROJECT}\",\"chip\":{},\"board\":{},\"rustc\":{},\"espflash\":{}}}",
                    Quoted(identity.git),
                    Quoted(identity.chip),
                    Quoted(identity.board),
                    Quoted(identity.rustc),
                    Maybe(identity.espflash.map(Quoted))
                )?;
            }
        }
        write_other(firmware.other.as_ref(), out)?;
        write!(
            out,
            ",\"capacity_bytes\":{},\"size_bytes\":{size},\"received_bytes\":{received}",
            Maybe(state.update.capacity())
        )?;
        write_keys(&keys, key.is_some(), out)?;
        write_last(state.update.last().as_ref(), out)?;
        let current = state.reading.borrow().as_ref().map(|reading| Number(reading.current.0));
        write!(
            out,
            ",\"load_current_a\":{},\"warn_above_a\":{},\"safe_mode\":{}}}",
            Maybe(current),
            Number(settings.update.warn_above_a),
            state.safe_mode.get()
        )
    })
}

/// `version` is that of the build, where nobody could read the image's.
fn write_running(
    image: Image,
    firmware: &Firmware,
    hash: Option<&[u8; 32]>,
    version: &str,
    out: &mut dyn Write,
) -> Written {
    let version = if firmware.version.is_empty() { version } else { firmware.version.as_str() };
    let state = match image.state {
        ImageState::Confirmed => "confirmed",
        ImageState::OnProbation => "on_probation",
        ImageState::Unrecorded => "unrecorded",
    };
    write!(out, "{{\"slot\":{},\"version\":{}", image.slot, Quoted(version))?;
    match hash {
        None => out.write_str(",\"image_sha256\":null")?,
        Some(hash) => write!(out, ",\"image_sha256\":\"{}\"", Hex(hash))?,
    }
    write!(out, ",\"state\":\"{state}\",\"probation\":")?;
    match &firmware.probation {
        None => out.write_str("null"),
        Some(status) => write_probation(status, out),
    }
}

fn write_probation(status: &probation::Status, out: &mut dyn Write) -> Written {
    let network = match status.network {
        Network::Joined => "joined",
        Network::AccessPoint => "access_point",
        Network::Waiting => "waiting",
        Network::OffTheAir => "off_the_air",
    };
    write!(
        out,
        "{{\"windows\":{},\"windows_wanted\":{},\"stores_open\":{},\"network\":\"{network}\",\"gives_up_in_s\":{}}}",
        status.windows,
        status.windows_wanted,
        status.stores_open,
        Maybe(status.gives_up_in_s.map(Number))
    )
}

fn write_other(other: Option<&Other>, out: &mut dyn Write) -> Written {
    let Some(other) = other else { return out.write_str(",\"other\":null") };
    let state = match other.state {
        OtherState::Former => "former",
        OtherState::WentBack => "went_back",
        OtherState::Activated => "activated",
    };
    write!(out, ",\"other\":{{\"version\":{},\"state\":\"{state}\"}}", Quoted(&other.version))
}

fn write_keys(keys: &AcceptedKeys, built_with_key: bool, out: &mut dyn Write) -> Written {
    let accept = match keys.accept() {
        Accept::Signed => "signed",
        Accept::Any => "any",
    };
    write!(out, ",\"accept\":\"{accept}\",\"built_with_key\":{built_with_key},\"keys\":[")?;
    for (index, (key, source)) in keys.iter().enumerate() {
        let source = match source {
            Source::Project => "project",
            Source::Owner => "owner",
        };
        let comma = if index > 0 { "," } else { "" };
        write!(out, "{comma}{{\"key\":\"{key}\",\"source\":\"{source}\"}}")?;
    }
    out.write_char(']')
}

fn write_last(last: Option<&Last>, out: &mut dyn Write) -> Written {
    let Some(last) = last else { return out.write_str(",\"last\":null") };
    write!(
        out,
        ",\"last\":{{\"result\":\"{}\",\"version\":{}",
        last.outcome.word(),
        Maybe((!last.version.is_empty()).then(|| Quoted(&last.version)))
    )?;
    match &last.outcome {
        Outcome::Refused(why) => {
            write!(out, ",\"code\":\"{}\",\"message\":", why.kind().1)?;
            write_quoted(why, out)?;
        }
        Outcome::WentBack(why) => {
            write!(out, ",\"code\":\"{}\",\"message\":\"{}\"", why.code(), why.sentence())?;
        }
        _ => out.write_str(",\"code\":null,\"message\":null")?,
    }
    write!(
        out,
        ",\"time\":{},\"uptime_s\":{}}}",
        Maybe(last.time.map(Number)),
        Maybe(last.uptime_s.map(Number))
    )
}
