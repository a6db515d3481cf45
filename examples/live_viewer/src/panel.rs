//! What the window shows: controls at the left, pictures beside them.

use std::{collections::VecDeque, time::Duration};

use dm_wgpu::Init;
use egui::{
    Align2, Color32, FontId, Frame, Key, Pos2, Rect, RichText, Slider, Stroke, TextureId, Ui, Vec2,
};

use crate::growth::{Growth, MEAN_OF};

/// Frames whose times are averaged.
const FRAMES: usize = 60;
const IPC: std::ops::RangeInclusive<usize> = 1..=12;
const RATES: std::ops::RangeInclusive<f32> = 0.01..=100.0;
const ACCENT: Color32 = Color32::from_rgb(94, 194, 176);
const ACCENT_FILL: Color32 = Color32::from_rgb(38, 110, 98);
const BEHIND: Color32 = Color32::from_gray(44);
const FAINT: Color32 = Color32::from_gray(150);
const KEYS: [(&str, &str); 5] = [
    ("Space", "pause, go on"),
    ("R", "begin again"),
    ("Up Down", "images per class"),
    ("Left Right", "learning rate"),
    ("Esc", "quit"),
];

pub struct Panel {
    ipc: usize,
    rate: f32,
    init: Init,
    times: VecDeque<Duration>,
    pictures: Rect,
    quits: bool,
}

impl Panel {
    pub fn new(growth: &Growth) -> Self {
        let settings = growth.settings();
        Self {
            ipc: settings.ipc,
            rate: settings.lr_img,
            init: settings.init,
            times: VecDeque::new(),
            pictures: Rect::ZERO,
            quits: false,
        }
    }

    pub fn frame_took(&mut self, time: Duration) {
        self.times.push_back(time);
        if self.times.len() > FRAMES {
            self.times.pop_front();
        }
    }

    pub fn quits(&self) -> bool {
        self.quits
    }

    pub fn show(&mut self, ui: &mut Ui, growth: &mut Growth, picture: TextureId) {
        self.keys(ui, growth);
        let side = Frame::side_top_panel(ui.style()).inner_margin(16.0);
        let left = egui::Panel::left("controls").exact_size(304.0).resizable(false);
        left.frame(side).show(ui, |ui| {
            let bottom = egui::Panel::bottom("keys").show_separator_line(false);
            bottom.frame(Frame::NONE).show(ui, |ui| {
                egui::Grid::new("keys").spacing([16.0, 3.0]).show(ui, |ui| {
                    for (key, does) in KEYS {
                        ui.label(RichText::new(key).size(12.0));
                        ui.label(RichText::new(does).size(12.0).color(FAINT));
                        ui.end_row();
                    }
                });
            });
            ui.label(RichText::new("Condensing glyphs").size(22.0).strong());
            let gpu = growth.gpu();
            let device = format!("{}, {} kernels", gpu.info().name, gpu.kernels().name());
            ui.label(RichText::new(device).size(12.0).color(FAINT));
            ui.add_space(18.0);
            self.controls(ui, growth);
            ui.add_space(18.0);
            self.figures(ui, growth);
            ui.add_space(10.0);
            plot(ui, growth.means());
            if let Some(trouble) = growth.trouble() {
                ui.add_space(10.0);
                ui.colored_label(ui.visuals().error_fg_color, trouble);
            }
        });
        let middle = Frame::central_panel(ui.style()).fill(BEHIND);
        egui::CentralPanel::default()
            .frame(middle)
            .show(ui, |ui| self.pictures(ui, growth, picture));
    }

    fn controls(&mut self, ui: &mut Ui, growth: &mut Growth) {
        ui.spacing_mut().slider_width = 200.0;
        ui.visuals_mut().slider_trailing_fill = true;
        ui.visuals_mut().selection.bg_fill = ACCENT_FILL;
        ui.label("Images per class");
        let ipc = ui.add(Slider::new(&mut self.ipc, IPC));
        ui.add_space(4.0);
        ui.label("Learning rate");
        let rate = ui.add(
            Slider::new(&mut self.rate, RATES).logarithmic(true).smart_aim(false).max_decimals(3),
        );
        ui.add_space(4.0);
        let before = self.init;
        ui.horizontal(|ui| {
            ui.label("From");
            ui.selectable_value(&mut self.init, Init::Noise, "noise");
            ui.selectable_value(&mut self.init, Init::Real, "real images");
        });
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let goes_on = if growth.paused() { "Go on" } else { "Pause" };
            if ui.button(goes_on).clicked() {
                growth.toggle_pause();
            }
            if ui.button("Begin again").clicked() {
                self.restart(growth);
            }
        });
        // A new rate holds from the next iteration on; any other change begins a new run.
        if rate.changed() {
            growth.set_learning_rate(self.rate);
        }
        if ipc.changed() || self.init != before {
            self.restart(growth);
        }
    }

    fn restart(&self, growth: &mut Growth) {
        growth.restart(|settings| {
            (settings.ipc, settings.lr_img, settings.init) = (self.ipc, self.rate, self.init);
        });
    }

    fn keys(&mut self, ui: &Ui, growth: &mut Growth) {
        let pressed = |key| ui.input(|input| input.key_pressed(key));
        self.quits = pressed(Key::Escape) || pressed(Key::Q);
        if ui.ctx().egui_wants_keyboard_input() {
            return; // They are a slider's.
        }
        if pressed(Key::Space) {
            growth.toggle_pause();
        }
        let more = usize::from(pressed(Key::ArrowUp));
        let ipc = (self.ipc + more - usize::from(pressed(Key::ArrowDown)))
            .clamp(*IPC.start(), *IPC.end());
        if ipc != self.ipc || pressed(Key::R) {
            self.ipc = ipc;
            self.restart(growth);
        }
        for (key, factor) in [(Key::ArrowRight, 1.25), (Key::ArrowLeft, 0.8)] {
            if pressed(key) {
                self.rate = (self.rate * factor).clamp(*RATES.start(), *RATES.end());
                growth.set_learning_rate(self.rate);
            }
        }
    }

    fn figures(&self, ui: &mut Ui, growth: &Growth) {
        let mean = self.frame_time().as_secs_f32() * 1e3;
        let longest = self.times.iter().max().map_or(0.0, Duration::as_secs_f32) * 1e3;
        let loss = growth.means().last().map_or("-".into(), |loss| format!("{loss:.3}"));
        egui::Grid::new("figures").num_columns(2).spacing([18.0, 4.0]).show(ui, |ui| {
            let mut row = |name, value: String| {
                ui.label(RichText::new(name).color(FAINT));
                ui.label(RichText::new(value).monospace());
                ui.end_row();
            };
            row("Iteration", growth.iteration().to_string());
            row("Loss", format!("{loss}, mean of {MEAN_OF}"));
            row("Frame", format!("{mean:.1} ms, at most {longest:.1}"));
        });
    }

    fn frame_time(&self) -> Duration {
        self.times.iter().sum::<Duration>() / self.times.len().max(1) as u32
    }

    /// The picture, as large as a whole number of screen pixels per texel allows, with each class's name before its
    /// row.
    fn pictures(&mut self, ui: &mut Ui, growth: &Growth, picture: TextureId) {
        let pixels = ui.ctx().pixels_per_point();
        let texture = growth.picture();
        let texels = Vec2::new(texture.width() as f32, texture.height() as f32);
        let room = ui.available_rect_before_wrap().shrink2(Vec2::new(24.0, 12.0));
        let fits = (room.size() * pixels / texels).min_elem();
        let scale = if fits >= 1.0 { fits.floor() } else { fits } / pixels;
        let corner = room.center() - texels * scale / 2.0;
        let corner = Pos2::new((corner.x * pixels).round(), (corner.y * pixels).round()) / pixels;
        self.pictures = Rect::from_min_size(corner, texels * scale);
        let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
        ui.painter().image(picture, self.pictures, whole, Color32::WHITE);
        self.pictures = self.pictures * pixels;

        let dataset = growth.dataset();
        for (class, name) in dataset.class_names().iter().enumerate() {
            let (x, y) = growth.corner(class);
            let middle = Vec2::new(x as f32, y as f32 + dataset.size() as f32 / 2.0) * scale;
            let at = corner + middle - Vec2::new(8.0, 0.0);
            ui.painter().text(at, Align2::RIGHT_CENTER, name, FontId::proportional(14.0), FAINT);
        }
    }

    /// What the window shows, in words.
    pub fn summary(&self, growth: &Growth) -> String {
        let settings = growth.settings();
        let (first, last) = (growth.means().first(), growth.means().last());
        let [first, last] = [first, last].map(|loss| loss.copied().unwrap_or(f32::NAN));
        let Rect { min, max } = self.pictures;
        format!(
            "iteration {}, {} images per class, learning rate {}, loss {first:.3} to {last:.3}, \
             pictures from ({}, {}) to ({}, {}), a frame {:.1} ms",
            growth.iteration(),
            settings.ipc,
            settings.lr_img,
            min.x,
            min.y,
            max.x,
            max.y,
            self.frame_time().as_secs_f32() * 1e3
        )
    }
}

/// The losses so far, from the first to the last.
fn plot(ui: &mut Ui, losses: &[f32]) {
    let size = Vec2::new(ui.available_width(), 110.0);
    let (area, painter) = ui.allocate_painter(size, egui::Sense::hover());
    let area = area.rect;
    painter.rect_filled(area, 4.0, ui.visuals().extreme_bg_color);
    let most = losses.iter().copied().fold(0.0, f32::max);
    if losses.len() < 2 || most <= 0.0 {
        return;
    }
    let inner = area.shrink2(Vec2::new(6.0, 10.0));
    // Not more points than can be seen.
    let step = losses.len().div_ceil(inner.width() as usize);
    let point = |(at, loss): (usize, &f32)| {
        let right = at as f32 / (losses.len() - 1) as f32;
        let up = loss / most;
        Pos2::new(inner.left() + right * inner.width(), inner.bottom() - up * inner.height())
    };
    let line = losses.iter().enumerate().step_by(step).map(point).collect();
    painter.line(line, Stroke::new(1.5, ACCENT));
}
