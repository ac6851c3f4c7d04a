//! What the configuration has names for and this version does not do. Taking such a key and doing nothing
//! could leave a door open that its operator thinks shut. A line goes when its feature comes.

use crate::config::error::{Place, Problems};
use crate::config::raw::RawAuth;

/// Refuses what cannot be done yet. (A provider's type is refused where it is checked.)
pub(super) fn refuse(raw: &RawAuth<'_>, problems: &mut Problems) {
    let root = Place::root();
    let mut refuse = |is_there: bool, place: Place, sentence: &str| {
        if is_there {
            problems.refuse(&place, format!("this version cannot do that yet: {sentence}"));
        }
    };

    refuse(raw.login_url.is_some(), root.key("login_url"), "every host signs people in itself; leave it out");
}
