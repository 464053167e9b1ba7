//! Where words go: answers to standard output, everything else to standard error.

use std::io::{self, Write};

use crate::finding::render::Colour;

use super::environment::Environment;
use super::exit::Failure;

/// The two streams, with what may be written to them.
pub struct Console {
    out: Box<dyn Write>,
    error: Box<dyn Write>,
    out_colour: Colour,
}

impl Console {
    /// The streams of this process.
    #[must_use]
    pub fn of_process(environment: &Environment) -> Self {
        Self {
            out: Box::new(io::stdout()),
            error: Box::new(io::stderr()),
            out_colour: environment.out_colour(),
        }
    }

    /// Whether answers may have colours.
    #[must_use]
    pub fn out_colour(&self) -> Colour {
        self.out_colour
    }

    /// Writes an answer.
    ///
    /// # Errors
    /// When it cannot be written, but for a reader that has seen enough.
    pub fn answer(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.out.write_all(text.as_bytes());
        match written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::no_answer(
                format!("cannot write the answer: {error}"),
            )),
            _ => Ok(()),
        }
    }

    /// Says something beside the answer. Nobody can be told when that fails.
    pub fn say(&mut self, text: &str) {
        let _ = writeln!(self.error, "{text}");
    }

    /// Says why there is no answer.
    pub fn fail(&mut self, failure: &Failure) {
        self.say(&failure.to_string());
    }

    /// Standard output itself, for answers that come one by one.
    pub fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }
}
