//! What was looked at so far, and what is being looked at.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::remote::browse::Looked;

/// How many folders are remembered; the oldest go.
const KEPT: usize = 400;

/// Listings by the path that was asked for.
#[derive(Debug, Default)]
pub(super) struct Cache {
    looked: HashMap<String, Looked>,
    order: VecDeque<String>,
    asked: HashSet<String>,
    /// Asked for before they were forgotten: that answer is too old.
    late: HashSet<String>,
}

impl Cache {
    /// What is known of a folder.
    pub(super) fn get(&self, path: &str) -> Option<&Looked> {
        self.looked.get(path)
    }

    /// Notes that a folder is asked for; false when it is known, or asked for already.
    pub(super) fn ask(&mut self, path: &str) -> bool {
        !self.looked.contains_key(path) && self.asked.insert(path.to_owned())
    }

    /// Takes an answer; false when it is too old, and the folder is to be asked for again.
    pub(super) fn put(&mut self, path: String, looked: Looked) -> bool {
        self.asked.remove(&path);
        if self.late.remove(&path) {
            return false;
        }
        if self.looked.insert(path.clone(), looked).is_none() {
            self.order.push_back(path);
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.looked.remove(&oldest);
            }
        }
        true
    }

    /// Forgets one folder, so that it is asked for again, also when an answer is still awaited.
    pub(super) fn forget_one(&mut self, path: &str) {
        self.looked.remove(path);
        self.order.retain(|kept| kept != path);
        if self.asked.contains(path) {
            self.late.insert(path.to_owned());
        }
    }

    /// Forgets all, so that it is asked for again; what is asked for now is still awaited.
    pub(super) fn forget(&mut self) {
        self.looked.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::browse::{Listing, Trouble};

    #[test]
    fn the_oldest_go_and_nothing_is_asked_twice() {
        let mut cache = Cache::default();
        assert!(cache.ask("/a") && !cache.ask("/a"));
        cache.put("/a".into(), Ok(Listing::default()));
        assert!(!cache.ask("/a"));
        for number in 0..KEPT {
            cache.put(format!("/{number}"), Err(Trouble::Missing));
        }
        assert!(cache.get("/a").is_none() && cache.get("/0").is_some());
        cache.forget();
        assert!(cache.ask("/0") && cache.order.is_empty());
    }

    #[test]
    fn an_answer_to_a_question_from_before_does_not_count() {
        let mut cache = Cache::default();
        assert!(cache.ask("/a"));
        cache.forget_one("/a");
        assert!(!cache.put("/a".into(), Ok(Listing::default())));
        assert!(cache.get("/a").is_none() && cache.ask("/a"));
        assert!(cache.put("/a".into(), Err(Trouble::Missing)));
        assert_eq!(cache.get("/a"), Some(&Err(Trouble::Missing)));
    }
}
