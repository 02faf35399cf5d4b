//! What one Emoncms account keeps: its keys, its inputs by node, its feeds.

use super::feed::Feed;
use super::php;

/// Nodes of an account unless its server was told another number.
pub const NODES_MOST: usize = 32;

/// One input: the newest value that was received under a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its number.
    pub id: u32,
    /// The node it belongs to.
    pub node: String,
    /// Its name within the node.
    pub name: String,
    /// Unix time of the newest *received* value.
    pub time: i64,
    /// That value.
    pub value: f64,
    /// Feeds that each value is logged to.
    pub log_to: Vec<u32>,
}

impl Input {
    /// Its processes as Emoncms writes them.
    #[must_use]
    pub fn process_list(&self) -> String {
        let steps = self.log_to.iter().map(|feed| format!("process__log_to_feed:{feed}"));
        steps.collect::<Vec<_>>().join(",")
    }
}

/// Values of one node at one time, as they were stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// When it was received, Unix seconds of the server.
    pub at: f64,
    /// The time it is of.
    pub time: i64,
    /// Node.
    pub node: String,
    /// Names and values.
    pub values: Vec<(String, f64)>,
}

/// What a fault takes away while one request is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// PHP gives up after so many rows.
    pub rows: Option<usize>,
    /// No further node: what is there are others'.
    pub closed: bool,
    /// Rows of this time are refused.
    pub refused_time: Option<i64>,
}

/// The account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The number that stands on its account page.
    pub user_id: u32,
    /// 32 hex digits: may write and read.
    pub write_key: String,
    /// 32 hex digits: may only read.
    pub read_key: String,
    /// At most so many nodes.
    pub nodes_most: usize,
    /// Seconds of the slots of a feed that each new input gets by itself; `None` for no feed, as Emoncms does it.
    pub feed_interval_s: Option<i64>,
    /// What a fault takes away.
    pub limits: Limits,
    /// In the order in which they were created.
    pub inputs: Vec<Input>,
    /// In the order in which they were created.
    pub feeds: Vec<Feed>,
    /// All that was stored, in the order in which it came.
    pub stored: Vec<Stored>,
}

impl Account {
    /// An empty one.
    #[must_use]
    pub fn new(user_id: u32, write_key: &str, read_key: &str) -> Self {
        Self {
            user_id,
            write_key: write_key.to_owned(),
            read_key: read_key.to_owned(),
            nodes_most: NODES_MOST,
            feed_interval_s: None,
            limits: Limits::default(),
            inputs: Vec::new(),
            feeds: Vec::new(),
            stored: Vec::new(),
        }
    }

    /// One input.
    #[must_use]
    pub fn input(&self, node: &str, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.node == node && input.name == name)
    }

    /// One feed.
    #[must_use]
    pub fn feed(&self, id: u32) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.id == id)
    }

    /// The first feed that an input is logged to.
    #[must_use]
    pub fn feed_of(&self, node: &str, name: &str) -> Option<&Feed> {
        self.feed(*self.input(node, name)?.log_to.first()?)
    }

    /// The node's inputs; none: it does not exist.
    #[must_use]
    pub fn node(&self, node: &str) -> Vec<&Input> {
        self.inputs.iter().filter(|input| input.node == node).collect()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        let mut names: Vec<&str> = self.inputs.iter().map(|input| input.node.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }

    /// One more feed.
    pub fn create_feed(&mut self, tag: &str, name: &str, interval_s: i64) -> u32 {
        let id = u32::try_from(self.feeds.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.feeds.push(Feed::new(id, tag, name, interval_s));
        id
    }

    /// Values of a node at a time, received at `at`.
    ///
    /// # Errors
    /// Emoncms' sentence if it does not take them.
    pub fn store(&mut self, at: f64, time: i64, node: &str, values: &[(String, f64)]) -> Result<(), String> {
        let node = php::kept_name(node);
        if self.limits.refused_time == Some(time) {
            return Err("Format error, this time is refused".to_owned());
        }
        let is_new = !self.inputs.iter().any(|input| input.node == node);
        if self.limits.closed || is_new && self.nodes() >= self.nodes_most {
            return Err(format!(
                "Error: Reached the maximal allowed number of different NodeIds, limit is {}. Node '{node}' was ignored.",
                self.nodes_most
            ));
        }
        let kept: Vec<(String, f64)> =
            values.iter().map(|(name, value)| (php::kept_name(name), *value)).collect();
        for (name, value) in &kept {
            self.store_one(&node, name, time, *value);
        }
        self.stored.push(Stored { at, time, node, values: kept });
        Ok(())
    }

    fn store_one(&mut self, node: &str, name: &str, time: i64, value: f64) {
        if self.input(node, name).is_none() {
            let log_to = match self.feed_interval_s {
                Some(interval_s) => vec![self.create_feed(node, name, interval_s)],
                None => Vec::new(),
            };
            let id = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX).saturating_add(1);
            let (node, name) = (node.to_owned(), name.to_owned());
            self.inputs.push(Input { id, node, name, time, value, log_to });
        }
        let Some(input) = self.inputs.iter_mut().find(|input| input.node == node && input.name == name)
        else {
            return;
        };
        (input.time, input.value) = (time, value);
        for id in &input.log_to {
            if let Some(feed) = self.feeds.iter_mut().find(|feed| feed.id == *id) {
                feed.put(time, value);
            }
        }
    }
}
