//! Brings what an older version stored to this version's shape, member by member.

use super::schema::VERSION;

/// One member of a section in a stored text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) section: &'static str,
    pub(super) name: &'a str,
    /// Its JSON.
    pub(super) value: &'a str,
}

/// Makes of a member of one version what it is in the next one.
pub(super) type Step = for<'a> fn(Member<'a>) -> Member<'a>;

/// The step at index n leads from version n to n + 1. No plug ever stored a version 0.
pub(super) const STEPS: [Step; VERSION as usize] = [|member| member];

/// The member after all `steps`.
pub(super) fn migrated<'a>(member: Member<'a>, steps: &[Step]) -> Member<'a> {
    steps.iter().fold(member, |member, step| step(member))
}
