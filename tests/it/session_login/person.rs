//! A person at a login: answers, and what they see.

use std::collections::VecDeque;
use std::sync::Mutex;

use outpost::ssh::ask::{Answer, Ask, NoAnswer, Question, Secret};
use outpost::step::{Progress, Watch};

/// A person who has an answer to each question, and remembers what was asked.
#[derive(Default)]
pub(crate) struct Person {
    answers: Mutex<VecDeque<Result<&'static str, NoAnswer>>>,
    asked: Mutex<Vec<Question>>,
}

impl Person {
    pub(crate) fn who_says(answers: &[Result<&'static str, NoAnswer>]) -> Self {
        Self { answers: Mutex::new(answers.iter().cloned().collect()), asked: Mutex::default() }
    }

    pub(crate) fn was_asked(&self) -> Vec<String> {
        let line = |q: &Question| format!("{}{}{}", q.preface, if q.preface.is_empty() { "" } else { " | " }, q.prompt);
        self.asked.lock().unwrap().iter().map(line).collect()
    }
}

impl Ask for Person {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        self.asked.lock().unwrap().push(question.clone());
        let answer = self.answers.lock().unwrap().pop_front().expect("asked more than expected");
        Box::pin(std::future::ready(answer.map(|text| Secret::new(text.to_owned()))))
    }
}

/// The notes that a person would see.
#[derive(Default)]
pub(crate) struct Notes(pub(super) Mutex<Vec<String>>);

impl Watch for Notes {
    fn progress(&self, progress: Progress) {
        if let Progress::Warning { text, .. } = progress {
            self.0.lock().unwrap().push(text);
        }
    }
}
