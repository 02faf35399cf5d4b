//! What stands in the query of an address: whole numbers, and words.

use picoserve::request::RequestParts;

use super::problem::Problem;

/// A parameter that a request may give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// What it must be, in words.
    pub(super) wanted: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
}

impl Parameter {
    /// Its value; `None` if it is not given. Unknown parameters are nobody's business.
    ///
    /// # Errors
    /// It is not such a number.
    pub(super) fn of(&self, parts: &RequestParts<'_>) -> Result<Option<usize>, Problem> {
        self.find(parts.query().map_or("", |query| query.0))
    }

    fn find(&self, query: &str) -> Result<Option<usize>, Problem> {
        let Some(value) = text(query, self.name) else { return Ok(None) };
        let number = value.parse().ok().filter(|number| (self.least..=self.most).contains(number));
        let wrong = Problem::BadParameter { name: self.name, wanted: self.wanted };
        number.map(Some).ok_or(wrong)
    }
}

/// What a parameter is given as.
pub(super) fn text<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|parameter| {
        let (named, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (named == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_their_range_are_read() {
        let take = Parameter { name: "take", wanted: "a whole number from 1 to 48", least: 1, most: 48 };
        assert_eq!(take.find(""), Ok(None));
        assert_eq!(take.find("skip=3&_=x"), Ok(None));
        assert_eq!(take.find("skip=3&take=48"), Ok(Some(48)));
        for bad in ["take=0", "take=49", "take", "take=", "take=-1", "take=1.5", "take=99999999999999999999"]
        {
            assert!(matches!(take.find(bad), Err(Problem::BadParameter { name: "take", .. })), "{bad}");
        }
    }
}
