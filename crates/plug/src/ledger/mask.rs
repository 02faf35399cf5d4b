//! Takes secrets out of what is kept for people to see.

/// What stands in the place of a secret.
const MASK: u8 = b'*';

/// Overwrites each place where `secret` stands in `text`, in capitals or not; where the text goes on and was cut, also the
/// secret's beginning at its end. An empty secret is none.
pub(crate) fn mask(text: &mut [u8], cut: bool, secret: &[u8]) {
    if secret.is_empty() {
        return;
    }
    let mut start = 0;
    while start < text.len() {
        let rest = text.get_mut(start..).unwrap_or(&mut []);
        let length = if cut { rest.len().min(secret.len()) } else { secret.len() };
        let here = rest.get_mut(..length).unwrap_or(&mut []);
        if !here.is_empty() && secret.get(..length).is_some_and(|secret| secret.eq_ignore_ascii_case(here)) {
            here.fill(MASK);
            start += length;
        } else {
            start += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const KEY: &str = "fa8e3b689295332c560bbea31afb61d0";

    fn masked(text: &str, cut: bool) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mask(&mut bytes, cut, KEY.as_bytes());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_secret_is_gone_wherever_it_stands() {
        let stars = "*".repeat(32);
        assert_eq!(
            masked(&alloc::format!("apikey={KEY}&{KEY}{KEY}x"), false),
            alloc::format!("apikey={stars}&{stars}{stars}x")
        );
        assert_eq!(masked(&KEY.to_uppercase(), false), stars);
        assert_eq!(masked("data=[[1,\"node\",{\"power\":5}]]", true), "data=[[1,\"node\",{\"power\":5}]]");
        assert_eq!(masked("", true), "");
    }

    #[test]
    fn its_beginning_is_gone_where_the_text_was_cut() {
        for kept in 1..KEY.len() {
            assert_eq!(
                masked(&alloc::format!("k={}", &KEY[..kept]), true),
                alloc::format!("k={}", "*".repeat(kept))
            );
        }
    }

    proptest! {
        /// Nothing of it is left that could be used, and what is not of it stands as it was.
        #[test]
        fn no_more_than_the_secret_goes(text in "[ab]{0,40}", cut: bool, secret in "[ab]{1,5}") {
            let mut bytes = text.clone().into_bytes();
            mask(&mut bytes, cut, secret.as_bytes());
            prop_assert_eq!(bytes.len(), text.len());
            let left = bytes.windows(secret.len()).filter(|part| *part == secret.as_bytes()).count();
            prop_assert_eq!(left, 0);
            let changed: Vec<usize> = (0..text.len()).filter(|at| bytes[*at] != text.as_bytes()[*at]).collect();
            for at in changed {
                let covered = (0..=at).any(|start| {
                    let rest = &text[start..];
                    let length = rest.len().min(secret.len());
                    start + length > at && rest[..length] == secret[..length]
                });
                prop_assert!(covered);
            }
        }
    }
}
