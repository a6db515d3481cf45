//! A window in which synthetic images grow while their settings are dragged. The program owns the device,
//! the window and the frame; the run is a guest that encodes its work into each frame's command encoder.
//!
//!     cargo run --release --manifest-path examples/live_viewer/Cargo.toml

mod growth;
mod panel;
mod screen;

use std::{error::Error, path::PathBuf, sync::Arc, time::Instant};

use dm_wgpu::data;
use winit::{
    application::ApplicationHandler,
    dpi::LogicalSize,
    event::WindowEvent,
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop},
    window::{Window, WindowId},
};

use growth::Growth;
use panel::Panel;
use screen::Screen;

const USAGE: &str = "usage: live_viewer [--exit-after FRAMES] [--screenshot FILE.png]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut app = App::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match argument.as_str() {
            "--exit-after" => app.frames = Some(value.parse().map_err(|_| USAGE)?),
            "--screenshot" => app.screenshot = Some(value.into()),
            _ => return Err(USAGE.into()),
        }
    }
    let events = EventLoop::new()?;
    events.run_app(&mut app)?;
    app.trouble.map_or(Ok(()), Err)
}

#[derive(Default)]
struct App {
    /// After so many the program ends.
    frames: Option<u32>,
    /// Where the last frame is saved.
    screenshot: Option<PathBuf>,
    viewer: Option<Viewer>,
    trouble: Option<Box<dyn Error>>,
}

struct Viewer {
    window: Arc<Window>,
    screen: Screen,
    growth: Growth,
    panel: Panel,
    frame: u32,
    last: Instant,
}

impl Viewer {
    fn new(events: &ActiveEventLoop) -> Result<Self, Box<dyn Error>> {
        let attributes = Window::default_attributes()
            .with_title("dm-wgpu live viewer")
            .with_inner_size(LogicalSize::new(1100, 680))
            .with_min_inner_size(LogicalSize::new(640, 540));
        let window = Arc::new(events.create_window(attributes)?);
        let screen = Screen::new(window.clone())?;
        let growth = Growth::new(screen.gpu(), Arc::new(data::glyphs(0)?))?;
        let panel = Panel::new(&growth);
        window.request_redraw();
        Ok(Self { window, screen, growth, panel, frame: 0, last: Instant::now() })
    }

    /// One frame: what the controls ask for, some of the run's work, and both drawn.
    fn draw(&mut self, screenshot: Option<&PathBuf>) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        let since = now - std::mem::replace(&mut self.last, now);
        let resting = self.growth.paused();
        if self.frame > 0 && !resting {
            self.panel.frame_took(since);
        }
        let picture = self.screen.show(self.growth.picture());
        let ui = self.screen.run(&self.window, |ui| self.panel.show(ui, &mut self.growth, picture));
        // Controls that move, or the first frame after a rest.
        let moves = ui.viewport_output.values().any(|view| view.repaint_delay.is_zero());
        let growth = &mut self.growth;
        self.screen.draw(ui, |encoder| growth.encode(encoder), screenshot)?;
        self.frame += 1;
        if moves || !self.growth.paused() {
            self.window.request_redraw();
        }
        Ok(())
    }
}

impl App {
    fn redraw(&mut self, events: &ActiveEventLoop) -> Result<(), Box<dyn Error>> {
        let Some(viewer) = &mut self.viewer else { return Ok(()) };
        let last = self.frames.is_some_and(|frames| viewer.frame + 1 >= frames);
        viewer.draw(self.screenshot.as_ref().filter(|_| last))?;
        if last {
            println!("{}", viewer.panel.summary(&viewer.growth));
            events.exit();
        }
        Ok(())
    }
}

impl ApplicationHandler for App {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        events.set_control_flow(ControlFlow::Wait);
        if self.viewer.is_none() {
            match Viewer::new(events) {
                Ok(viewer) => self.viewer = Some(viewer),
                Err(error) => {
                    self.trouble = Some(error);
                    events.exit();
                }
            }
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let Some(viewer) = &mut self.viewer else { return };
        if viewer.screen.takes(&viewer.window, &event) {
            viewer.window.request_redraw();
        }
        match event {
            WindowEvent::CloseRequested => events.exit(),
            WindowEvent::Resized(size) => viewer.screen.resize(size),
            WindowEvent::RedrawRequested => {
                if let Err(error) = self.redraw(events) {
                    self.trouble = Some(error);
                    events.exit();
                }
            }
            _ => {}
        }
        if self.viewer.as_ref().is_some_and(|viewer| viewer.panel.quits()) {
            events.exit();
        }
    }

    fn exiting(&mut self, _: &ActiveEventLoop) {
        // Before the connection to the display, which the surface needs.
        self.viewer = None;
    }
}
