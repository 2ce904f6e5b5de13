//! A person in memory: answers in a given order, and everything they were told.

#![allow(clippy::unwrap_used)]

use std::{collections::VecDeque, sync::Mutex};

use zeroize::Zeroizing;

use super::{Choice, Confirmation, Notice, PinQuestion, PromptError, Prompter, TextQuestion};

/// What a scripted person saw, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Notice(Notice),
    Pin(PinQuestion),
    Text(TextQuestion),
    Confirm(Confirmation),
    Choose(Choice, Vec<String>),
}

/// Something that happens in the world when the person is told something, such as a key being inserted.
type Reaction = Box<dyn Fn(&Notice) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Scripted {
    pins: Mutex<VecDeque<String>>,
    texts: Mutex<VecDeque<String>>,
    confirmations: Mutex<VecDeque<bool>>,
    choices: Mutex<VecDeque<usize>>,
    seen: Mutex<Vec<Seen>>,
    reaction: Option<Reaction>,
}

impl Scripted {
    pub(crate) fn pins(pins: &[&str]) -> Self {
        Self { pins: Mutex::new(pins.iter().map(|pin| (*pin).to_owned()).collect()), ..Self::default() }
    }

    pub(crate) fn typing(self, texts: &[&str]) -> Self {
        *self.texts.lock().unwrap() = texts.iter().map(|text| (*text).to_owned()).collect();
        self
    }

    pub(crate) fn confirming(self, answers: &[bool]) -> Self {
        *self.confirmations.lock().unwrap() = answers.iter().copied().collect();
        self
    }

    pub(crate) fn choosing(self, answers: &[usize]) -> Self {
        *self.choices.lock().unwrap() = answers.iter().copied().collect();
        self
    }

    pub(crate) fn reacting(mut self, reaction: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.reaction = Some(Box::new(reaction));
        self
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        let only_notices = |seen: Seen| match seen {
            Seen::Notice(notice) => Some(notice),
            _ => None,
        };
        self.seen().into_iter().filter_map(only_notices).collect()
    }

    pub(crate) fn was_told(&self, notice: &Notice) -> bool {
        self.notices().contains(notice)
    }

    fn see(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }
}

impl Prompter for Scripted {
    fn tell(&self, notice: &Notice) {
        self.see(Seen::Notice(notice.clone()));
        if let Some(reaction) = &self.reaction {
            reaction(notice);
        }
    }

    fn ask_pin(&self, question: PinQuestion) -> Result<Zeroizing<String>, PromptError> {
        self.see(Seen::Pin(question));
        self.pins.lock().unwrap().pop_front().map(Zeroizing::new).ok_or(PromptError::Closed)
    }

    fn ask_text(&self, question: TextQuestion) -> Result<Zeroizing<String>, PromptError> {
        self.see(Seen::Text(question));
        self.texts.lock().unwrap().pop_front().map(Zeroizing::new).ok_or(PromptError::Closed)
    }

    fn confirm(&self, question: Confirmation) -> Result<bool, PromptError> {
        self.see(Seen::Confirm(question));
        self.confirmations.lock().unwrap().pop_front().ok_or(PromptError::Closed)
    }

    fn choose(&self, question: Choice, options: &[String]) -> Result<usize, PromptError> {
        self.see(Seen::Choose(question, options.to_vec()));
        self.choices.lock().unwrap().pop_front().ok_or(PromptError::Closed)
    }
}
