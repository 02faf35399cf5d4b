//! Who owns the virtual plug when it starts: `--password`, `--reset-password`, and what a person has to do first.

use embedded_storage_async::nor_flash::NorFlash;
use plug::access::{AccessStore, Ha1, Kept};
use plug::settings::{Basis, SettingsStore};
use plug::storage::import::RECORD;
use plug::storage::layout;
use plug::storage::region::{Region, Shared};
use plug::storage::reset;

use crate::failure::Failure;

/// Fewest characters of an owner's password.
const FEWEST: usize = 10;
/// Most characters of an access point's (IEEE 802.11 annex J.4).
const ACCESS_POINT_MOST: usize = 63;

/// Whose the plug is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's: whoever comes first can set it up.
    Nobody,
    /// Somebody's.
    Somebody,
    /// Nobody can tell, so nobody gets in.
    Unknown,
}

impl Owner {
    /// What a person has to know before anything else.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Nobody => {
                "nobody owns this plug yet: open the page above and set it up, or start it with --password"
            }
            Self::Somebody => {
                "sign in on the page above with the owner's password, or with: curl --digest -u admin:PASSWORD"
            }
            Self::Unknown => {
                "what is kept of this plug's owner cannot be read, so nobody can sign in: --reset-password forgets it"
            }
        }
    }
}

/// Checks a password before anything is touched; `imports` is whether a file brings one too.
///
/// # Errors
/// If nobody could be its owner with it.
pub fn check(password: &str, imports: bool) -> Result<(), Failure> {
    if imports {
        return Err(wrong(
            "--import brings the owner's password: leave --password (or OSSP_PASSWORD in the environment) out",
        ));
    }
    if password.chars().any(char::is_control) {
        return Err(wrong("the password must have printable characters only"));
    }
    if password.chars().count() < FEWEST {
        return Err(wrong(&format!("the password must have {FEWEST} characters or more")));
    }
    Ok(())
}

/// Makes whoever knows `password` (see [`check`]) the owner of a plug that has none; of one that has an owner it must be the password.
/// The settings go first: the owner's record is the moment from which on all of it holds. `say` takes what was wrong with them.
///
/// # Errors
/// If the plug has another owner, or the flash does not take it.
pub async fn claim<F: NorFlash>(
    flash: &Shared<F>,
    log: &Shared<F>,
    id: &str,
    password: &str,
    basis: &Basis,
    say: impl FnMut(&str),
) -> Result<(), Failure> {
    // What is to be erased would take the owner with it.
    if let Some(flash) = &mut *flash.lock().await {
        // If the history stays, the start tells it.
        reset::finish_if_begun(flash, log.lock().await.as_mut()).await.map_err(|_| not_kept())?;
    }
    let mut access = AccessStore::new(Region::new(flash, layout::ACCESS));
    let kept = access.load().await.map_err(|_| wrong(Owner::Unknown.advice()))?;
    let ha1 = Ha1::of(id, password);
    match &kept.ha1 {
        Some(owner) if *owner == ha1 => return Ok(()),
        Some(_) => {
            return Err(wrong(
                "this plug is set up with another password: start it without --password (and OSSP_PASSWORD) and sign in \
                 with that one, or have it forgotten with --reset-password",
            ));
        }
        None => {}
    }
    put_access_point_password(flash, Some(access_point_password(password)?), basis, say).await?;
    access.save(&Kept { ha1: Some(ha1), ..kept }).await.map_err(|_| not_kept())
}

/// Forgets the owner, the tokens and, since it was the owner's too, the access point's password. (Sessions are in RAM.)
///
/// # Errors
/// If the flash does not take it.
pub async fn forget<F: NorFlash>(
    flash: &Shared<F>,
    basis: &Basis,
    say: impl FnMut(&str),
) -> Result<(), Failure> {
    if let Some(flash) = &mut *flash.lock().await {
        reset::forget_access(flash).await.map_err(|_| not_kept())?;
    }
    put_access_point_password(flash, None, basis, say).await
}

/// Puts a record where the next start looks for one, as a cable does.
///
/// # Errors
/// If the flash does not take it.
pub async fn import<F: NorFlash>(flash: &Shared<F>, log: &Shared<F>, record: &[u8]) -> Result<(), Failure> {
    if let Some(flash) = &mut *flash.lock().await {
        // What is to be erased would take the record with it.
        reset::finish_if_begun(flash, log.lock().await.as_mut()).await.map_err(|_| not_kept())?;
        flash.erase(RECORD.from, RECORD.from + RECORD.length).await.map_err(|_| not_kept())?;
        flash.write(RECORD.from, record).await.map_err(|_| not_kept())?;
    }
    Ok(())
}

/// Whose the plug is.
pub async fn look<F: NorFlash>(flash: &Shared<F>) -> Owner {
    match AccessStore::new(Region::new(flash, layout::ACCESS)).load().await {
        Ok(Kept { ha1: Some(_), .. }) => Owner::Somebody,
        Ok(_) => Owner::Nobody,
        Err(_) => Owner::Unknown,
    }
}

fn access_point_password(password: &str) -> Result<heapless::String<64>, Failure> {
    let fits =
        password.len() <= ACCESS_POINT_MOST && password.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    heapless::String::try_from(password).ok().filter(|_| fits).ok_or_else(|| {
        wrong(&format!(
            "the password becomes the access point's too, so it must have {ACCESS_POINT_MOST} ASCII characters at most; \
             on the page of a plug without an owner the access point can be given another one"
        ))
    })
}

async fn put_access_point_password<F: NorFlash>(
    flash: &Shared<F>,
    password: Option<heapless::String<64>>,
    basis: &Basis,
    say: impl FnMut(&str),
) -> Result<(), Failure> {
    let part = |place| Region::new(flash, place);
    let mut store = SettingsStore::new(part(layout::SETTINGS), part(layout::CALIBRATION));
    let (mut settings, trouble) = store.load(basis).await;
    if settings.wifi.access_point_password == password {
        return Ok(());
    }
    // Once they are stored anew the plug finds nothing wrong with them any more.
    if let Some(trouble) = trouble {
        trouble.tell(say);
    }
    settings.wifi.access_point_password = password;
    store.save(&settings).await.map_err(|_| not_kept())
}

fn wrong(text: &str) -> Failure {
    Failure::wrong_use(text.to_owned())
}

fn not_kept() -> Failure {
    Failure::failed("the state folder cannot be written: the password is as it was".to_owned())
}
