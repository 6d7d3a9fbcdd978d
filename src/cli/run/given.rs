//! What a run is given on this machine, and all that can be wrong with it: the places, the prompt, the files.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::files::Files;
use super::{Run, token, worktree};
use crate::cli::Context;
use crate::cli::screen::Screen;
use crate::failure::{Code, Failure};
use crate::name::Place;

/// How long standard input beside a prompt may be silent before a person is told that it is waited for.
const PATIENT: Duration = Duration::from_secs(2);
/// How long it may be silent at all: what is piped in has begun by then, and a pipe that a script left open never does.
const SILENT: Duration = Duration::from_secs(60);

/// What a run is given.
pub(super) struct Given {
    /// Where it runs, with the word that was typed for it.
    pub(super) places: Vec<(String, Place)>,
    /// What the agent shall do; none means to ask on the terminal.
    pub(super) prompt: Option<String>,
    /// The files it works with.
    pub(super) files: Files,
}

impl Run {
    /// Everything that can be wrong before a host is touched.
    pub(super) async fn given(&self, context: &Context) -> Result<Given, Failure> {
        crate::config::gate::require(&context.local)?;
        let (words, prompt) = self.split()?;
        let places = words.into_iter().map(|word| Ok((word.clone(), self.place(&word, context)?)));
        let places = places.collect::<Result<Vec<_>, Failure>>()?;
        self.fits(&places)?;
        worktree::branch(self.worktree.as_deref().unwrap_or_default(), None)?;
        if self.with_access_token {
            token::stays_kept(&self.thread.config)?;
        }
        let files = Files::read(&self.thread)?;
        let prompt = self.prompt(prompt, context, places.len()).await?;
        Ok(Given { places, prompt, files })
    }

    fn place(&self, word: &str, context: &Context) -> Result<Place, Failure> {
        context.place(word).map_err(|failure| match (&self.resume, failure.code) {
            // `run --resume ID "prompt"`: the prompt stands where the place is wanted.
            (Some(id), Code::NameUnknown) if self.words.len() < 2 => {
                let hint = format!("say on which host the thread is: outpost run --resume {id} HOST: \"…\"\n{}", failure.hint);
                failure.hint(hint.trim_end())
            }
            _ => failure,
        })
    }

    /// The places and the prompt's word of the command line.
    fn split(&self) -> Result<(Vec<String>, Option<&str>), Failure> {
        let usage = |said: &str| Failure::new(Code::Usage, "read the command line").said(said).hint("outpost run --help");
        let surplus = |word: &str| {
            usage(&format!("the word '{}' is one too many", word.escape_debug()))
                .hint("a PROMPT of several words stands in quotes: outpost run HOST:PATH \"fix this\"")
        };
        match (self.project.as_slice(), self.words.as_slice()) {
            ([], []) => Err(usage("there is no HOST:PATH or PROJECT")),
            ([], [place]) => Ok((vec![place.clone()], None)),
            ([], [place, prompt]) => Ok((vec![place.clone()], Some(prompt))),
            ([], [_, _, word, ..]) => Err(surplus(word)),
            (places, [prompt]) => Ok((places.to_vec(), Some(prompt))),
            ([place], []) => Ok((vec![place.clone()], None)),
            (places, []) if self.review.is_some() => Ok((places.to_vec(), None)),
            (_, []) => Err(usage("several projects need a PROMPT")),
            (_, [_, word, ..]) => Err(surplus(word).hint("with -p there is one more word: the PROMPT, in quotes")),
        }
    }

    /// Options that make no sense together with these places.
    fn fits(&self, places: &[(String, Place)]) -> Result<(), Failure> {
        let usage = |said: String| Failure::new(Code::Usage, "read the command line").said(said);
        for (number, (word, place)) in places.iter().enumerate() {
            if places.iter().take(number).any(|(_, other)| other == place) {
                return Err(usage(format!("-p {word} names a folder that is named already")));
            }
        }
        if self.thread.output_last_message.is_some() && places.len() > 1 {
            return Err(usage("--output-last-message is one file, and there are several threads".to_owned())
                .hint("--json tells all of them apart"));
        }
        if self.thread.output_last_message.is_some() && self.manner.detach {
            return Err(usage("with --detach nobody is there to write the last message to a file".to_owned())
                .hint("outpost thread log shows it later"));
        }
        Ok(())
    }

    /// The prompt of the command line, of standard input, or both; none means to ask on the terminal, or only to join what runs.
    async fn prompt(&self, word: Option<&str>, context: &Context, places: usize) -> Result<Option<String>, Failure> {
        let usage = |said: &str| Failure::new(Code::Usage, "take the prompt").said(said).hint("outpost run HOST:PATH \"…\"");
        let some = |text: String| if text.trim().is_empty() { Err(usage("the prompt is empty")) } else { Ok(Some(text)) };
        let terminal = std::io::stdin().is_terminal();
        let nobody = || usage("there is no PROMPT, and no terminal to ask for one");
        match word {
            None if self.review.is_some() => Ok(None),
            Some("-") => some(read_stdin().await?),
            Some(text) => {
                some(text.to_owned())?;
                Ok(Some(with_block(text, piped(&context.screen, SILENT).await?.as_deref())))
            }
            None if places > 1 => Err(nobody()),
            None if self.takes_up() && !terminal => match piped(&context.screen, SILENT).await? {
                None if self.manner.detach => Err(nobody()),
                piped => Ok(piped),
            },
            None if self.manner.detach && terminal => Err(nobody()),
            None if terminal && (self.takes_up() || context.screen.interactive) => Ok(None),
            None if terminal => Err(nobody()),
            None => some(read_stdin().await?),
        }
    }
}

/// A prompt and what was piped in beside it, in the form that `codex exec` gives the two (0.169.0).
fn with_block(prompt: &str, piped: Option<&str>) -> String {
    let Some(piped) = piped else { return prompt.to_owned() };
    let end = if piped.ends_with('\n') { "" } else { "\n" };
    format!("{prompt}\n\n<stdin>\n{piped}{end}</stdin>")
}

/// What is piped in, if something is.
async fn piped(screen: &Screen, limit: Duration) -> Result<Option<String>, Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let begun = |limit| async move { tokio::task::spawn_blocking(move || begins(std::io::stdin().as_fd(), limit)).await };
    let mut has_begun = begun(PATIENT).await.unwrap_or(true);
    if !has_begun {
        screen.note("waiting for standard input, which belongs to the prompt; </dev/null says that there is none");
        has_begun = begun(limit).await.unwrap_or(true);
    }
    if !has_begun {
        return Err(Failure::new(Code::Usage, "read standard input beside the prompt")
            .said(format!("it stays open, and nothing came for {} s", limit.as_secs()))
            .hint("</dev/null says that there is none; a PROMPT of - waits as long as it takes"));
    }
    let text = read_stdin().await?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// Whether something comes within a time, be it the end.
fn begins(stdin: std::os::fd::BorrowedFd<'_>, limit: Duration) -> bool {
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::NONE);
    // An error is for whoever reads.
    !matches!(poll(&mut [PollFd::new(stdin, PollFlags::POLLIN)], limit), Ok(0))
}

/// What a person wrote for the agent, `-` for standard input.
///
/// # Errors
/// [`Code::Usage`] when it is empty.
pub(in crate::cli) async fn words(word: String, for_what: &str) -> Result<String, Failure> {
    let text = if word == "-" { read_stdin().await? } else { word };
    if text.trim().is_empty() {
        return Err(Failure::new(Code::Usage, format!("take the words to {for_what}")).said("there are none"));
    }
    Ok(text)
}

/// Standard input to its end.
async fn read_stdin() -> Result<String, Failure> {
    let fail = |e: std::io::Error| Failure::new(Code::Usage, "read the prompt from standard input").said(e);
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut tokio::io::stdin(), &mut text).await.map_err(fail)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_prompt_and_a_pipe_are_told_apart() {
        assert_eq!(with_block("say hi", None), "say hi");
        assert_eq!(with_block("say hi", Some("some diff\n")), "say hi\n\n<stdin>\nsome diff\n</stdin>");
        assert_eq!(with_block("say hi", Some("no end")), "say hi\n\n<stdin>\nno end\n</stdin>");
    }

    #[test]
    fn a_pipe_that_stays_silent_is_not_waited_for_for_ever() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let begun = |limit| begins(reader.as_fd(), Duration::from_millis(limit));
        assert!(!begun(1));
        writer.write_all(b"x").expect("written");
        assert!(begun(10_000));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(writer);
        assert!(begins(reader.as_fd(), Duration::from_secs(10)), "its end is something");
    }
}
