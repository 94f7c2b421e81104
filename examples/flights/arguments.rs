//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Result;

pub(crate) const HELP: &str = "\
Loads a year of flights into one file, and asks it questions.

usage: flights [OPTIONS] [crash]

  crash        load in a child process, kill it with SIGKILL at a random moment,
               reopen the file and compare it with the CSV, in every index
  --csv PATH   take the flights from this CSV, plain or compressed by zstd, with the
               columns year to distance; by default those of the repository
  --file PATH  the groove file; by default target/flights.groove, with --csv
               target/NAME.groove, and for crash target/flights-crash.groove
  --explain    print how each query was answered: its plan, rows and blocks
  --seed N     with crash: decides the moment; by default another one in each run
  --help       print this

A file that holds all flights is opened and asked. A load that was interrupted goes on where it
ended.";

/// Tells the child of a crash what it is.
const CHILD: &str = "crash-child";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    Ask,
    Crash,
    /// Loads and says what is on disk, until it is killed.
    CrashChild,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    pub(crate) csv: Option<PathBuf>,
    pub(crate) seed: Option<u64>,
    pub(crate) explain: bool,
    file: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments> {
        let mut arguments =
            Arguments { task: Task::Ask, csv: None, seed: None, explain: false, file: None };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let word = word.to_string_lossy();
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match &*word {
                "--csv" => arguments.csv = Some(value()?.into()),
                "--file" => arguments.file = Some(value()?.into()),
                "--seed" => {
                    let value = value()?.to_string_lossy().into_owned();
                    let seed = value.parse();
                    let seed = seed.map_err(|_| format!("--seed {value}: it is not a number"))?;
                    arguments.seed = Some(seed);
                }
                "--explain" => arguments.explain = true,
                "--help" | "-h" => arguments.task = Task::Help,
                "crash" => arguments.task = Task::Crash,
                CHILD => arguments.task = Task::CrashChild,
                _ => return Err(format!("there is no option {word}; --help lists them").into()),
            }
        }
        if arguments.seed.is_some() && arguments.task == Task::Ask {
            return Err("--seed needs `crash`".into());
        }
        Ok(arguments)
    }

    /// The file with the forest.
    pub(crate) fn file(&self) -> PathBuf {
        match (&self.file, self.task, &self.csv) {
            (Some(file), ..) => file.clone(),
            (None, Task::Crash | Task::CrashChild, _) => "target/flights-crash.groove".into(),
            (None, _, Some(csv)) => {
                let name = csv.file_prefix().unwrap_or(csv.as_os_str());
                Path::new("target").join(name).with_extension("groove")
            }
            (None, _, None) => "target/flights.groove".into(),
        }
    }

    /// Whether the caller chose the file, so that it is not the example's to replace.
    pub(crate) fn names_file(&self) -> bool {
        self.file.is_some()
    }

    /// What the child of a crash is called with.
    pub(crate) fn of_child(&self) -> Vec<OsString> {
        let mut words = vec![CHILD.into(), "--file".into(), self.file().into()];
        if let Some(csv) = &self.csv {
            words.extend(["--csv".into(), csv.into()]);
        }
        words
    }
}
