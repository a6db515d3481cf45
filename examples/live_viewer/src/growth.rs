//! The guest: a run on the program's device, its picture, and its losses.

use std::{collections::VecDeque, error::Error, sync::Arc, time::Duration};

use dm_wgpu::{Condensation, Dataset, Gpu, Init, Picture, Settings, wgpu};

/// The GPU's time for the run in each frame; a 60th of a second has 16.7 ms, and the window wants to be drawn.
const BUDGET: Duration = Duration::from_millis(10);

/// Losses of single iterations jump, as each has a network of its own: means of so many are shown.
pub const MEAN_OF: usize = 20;

pub struct Growth {
    gpu: Gpu,
    dataset: Arc<Dataset>,
    run: Condensation,
    picture: Picture,
    recent: VecDeque<f32>,
    means: Vec<f32>,
    paused: bool,
    /// Why the run stands still, if it does: its loss is not a number, or the device is lost.
    trouble: Option<String>,
}

impl Growth {
    pub fn new(gpu: Gpu, dataset: Arc<Dataset>) -> Result<Self, Box<dyn Error>> {
        let small = gpu.info().device_type == wgpu::DeviceType::Cpu;
        let (width, batch_real) = if small { (16, 16) } else { (64, 128) };
        let settings = Settings::for_dataset(&dataset)
            .ipc(10)
            .iterations(u32::MAX) // until the window is closed
            .init(Init::Noise)
            .width(width)
            .batch_real(batch_real);
        let run = Condensation::new(&gpu, dataset.clone(), settings)?;
        let picture = run.picture()?;
        let (recent, means) = Default::default();
        Ok(Self { gpu, dataset, run, picture, recent, means, paused: false, trouble: None })
    }

    /// Some of the run's work, and the picture of what has come of it, into the frame's encoder.
    pub fn encode(&mut self, encoder: &mut wgpu::CommandEncoder) {
        if !self.paused() {
            let encoded = self.run.encode_some(encoder, BUDGET);
            match encoded.and_then(|_| self.run.take_losses()) {
                Ok(losses) => losses.iter().for_each(|loss| self.note(loss.loss)),
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
        self.picture.encode(encoder);
    }

    /// Begins again with other settings. Pipelines are there already, whatever they need.
    pub fn restart(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.run.settings().clone();
        change(&mut settings);
        let made = Condensation::new(&self.gpu, self.dataset.clone(), settings)
            .and_then(|run| run.picture().map(|picture| (run, picture)));
        match made {
            Ok((run, picture)) => {
                (self.run, self.picture) = (run, picture);
                self.recent.clear();
                self.means.clear();
                self.trouble = None;
            }
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    pub fn set_learning_rate(&mut self, rate: f32) {
        if let Err(error) = self.run.set_lr_img(rate) {
            self.trouble = Some(error.to_string());
        }
    }

    pub fn paused(&self) -> bool {
        self.paused || self.trouble.is_some()
    }

    pub fn toggle_pause(&mut self) {
        self.paused = !self.paused;
    }

    pub fn picture(&self) -> &wgpu::Texture {
        self.picture.texture()
    }

    /// The left upper texel of a class's first image.
    pub fn corner(&self, class: usize) -> (u32, u32) {
        self.picture.corner(class * self.settings().ipc)
    }

    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    pub fn settings(&self) -> &Settings {
        self.run.settings()
    }

    pub fn iteration(&self) -> u32 {
        self.run.iteration()
    }

    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The loss after each iteration, as a mean over the last ones.
    pub fn means(&self) -> &[f32] {
        &self.means
    }

    fn note(&mut self, loss: f32) {
        self.recent.push_back(loss);
        if self.recent.len() > MEAN_OF {
            self.recent.pop_front();
        }
        self.means.push(self.recent.iter().sum::<f32>() / self.recent.len() as f32);
    }
}
