//! Curves as SVG: axes with round numbers, a logarithmic one where values span decades.

use super::{
    Chart, Curve, Point,
    html::{Html, escape, tag},
};

/// Units of the drawing, which is scaled to the available room.
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;

/// More points per curve would not be visible.
const MOST_POINTS: usize = 800;
/// If the largest value is so many times the smallest, the axis is logarithmic.
const DECADES: f64 = 40.0;

pub fn section(html: &mut Html, charts: &[Chart]) {
    let drawable = |chart: &&Chart| chart.curves.iter().any(|curve| finite(curve).count() > 1);
    let charts: Vec<_> = charts.iter().filter(drawable).collect();
    if charts.is_empty() {
        return;
    }
    html.open("section", &[]);
    html.text_in("h2", &[], "Curves");
    html.open("div", &[("class", "pair")]);
    for chart in charts {
        html.open("figure", &[("class", "chart")]);
        html.open("figcaption", &[]);
        html.text_in("h3", &[], &chart.title);
        html.close("figcaption");
        html.raw(&drawing(chart));
        legend(html, &chart.curves);
        html.close("figure");
    }
    html.close("div");
    html.close("section");
}

fn finite(curve: &Curve) -> impl Iterator<Item = &Point> {
    curve.points.iter().filter(|point| point.value.is_finite() && point.spread.is_finite())
}

fn legend(html: &mut Html, curves: &[Curve]) {
    html.open("p", &[("class", "legend")]);
    if curves.len() > 1 {
        let drawn = |(_, curve): &(usize, &Curve)| finite(curve).next().is_some();
        for (number, curve) in curves.iter().enumerate().filter(drawn) {
            let class = format!("key c{}", number % COLOURS);
            html.text_in("span", &[("class", &class)], &curve.name);
        }
    }
    let lone = |curve: &Curve| !curve.noisy && finite(curve).count() == 1;
    if curves.len() > 1 && curves.iter().any(lone) {
        html.text_in("span", &[], "Dashed: measured once.");
    }
    if curves.iter().any(|curve| curve.noisy) {
        html.text_in("span", &[], "Thin: every iteration. Thick: running mean.");
    }
    if curves.iter().any(|curve| finite(curve).any(|point| point.spread > 0.0)) {
        html.text_in("span", &[], "Band: ± one standard deviation.");
    }
    html.close("p");
}

/// As many as style.css has.
const COLOURS: usize = 6;

/// One axis: from a range of values to a range of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    from: f64,
    to: f64,
    log: bool,
    start: f64,
    end: f64,
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        let on = |value: f64| if self.log { value.ln() } else { value };
        let share = (on(value) - on(self.from)) / (on(self.to) - on(self.from));
        self.start + share * (self.end - self.start)
    }

    /// Round values within the axis, with their labels.
    fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        if self.log {
            return log_ticks(self.from, self.to);
        }
        let step = round_step((self.to - self.from) / about as f64);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        // Half a step of a thousandth makes up for rounding.
        let first = (self.from / step - 1e-3).ceil() as i64;
        let last = (self.to / step + 1e-3).floor() as i64;
        let tick = |n: i64| (n as f64 * step, label(n as f64 * step, decimals));
        (first..=last).map(tick).collect()
    }
}

/// 1, 2 or 5 times a power of ten, the next one up.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * 0.999).unwrap_or(10.0);
    factor * power
}

fn log_ticks(from: f64, to: f64) -> Vec<(f64, String)> {
    let decades = (from.log10().floor() as i32)..=(to.log10().ceil() as i32);
    let many = (to / from).log10() > 3.0;
    let factors: &[f64] = if many { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let values = decades.flat_map(|decade| factors.iter().map(move |f| f * 10f64.powi(decade)));
    let within = |value: &f64| *value >= from * 0.999 && *value <= to * 1.001;
    let named = |value: f64| (value, label(value, (-value.log10().floor()).max(0.0) as usize));
    values.filter(within).map(named).collect()
}

/// Digits in groups of three, as few decimals as tell ticks apart.
fn label(value: f64, decimals: usize) -> String {
    if value != 0.0 && (value.abs() < 1e-4 || value.abs() >= 1e7) {
        return format!("{value:e}");
    }
    let text = format!("{value:.decimals$}");
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("−", digits));
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        // Numbers of four digits read as well without.
        if at > 0 && digits.len() > 4 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
    format!("{sign}{grouped}{fraction}")
}

fn axes(chart: &Chart) -> (Axis, Axis) {
    let points = || chart.curves.iter().flat_map(finite);
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in points() {
        least = least.min(point.value - point.spread);
        most = most.max(point.value + point.spread);
    }
    let log = least > 0.0 && most / least > DECADES;
    if log {
        (least, most) = (least * 0.9, most * 1.1);
    } else {
        let missing = (chart.span - (most - least)).max(0.0) / 2.0;
        (least, most) = (least - missing, most + missing);
        // If all values are equal, an axis is needed as well.
        let range = if most > least { most - least } else { most.abs().max(1.0) };
        let step = round_step(range / 5.0);
        (least, most) = ((least / step).floor() * step, (most / step).ceil() * step);
        if most <= least {
            most = least + step;
        }
    }
    let iterations = || points().map(|point| f64::from(point.iteration));
    let (first, last) =
        (iterations().fold(f64::INFINITY, f64::min), iterations().fold(0.0, f64::max));
    // A curve that begins with the first iteration has its zero as well.
    let first = if first <= 1.0 { 0.0 } else { first };
    let last = if last > first { last } else { first + 1.0 };
    (
        Axis { from: first, to: last, log: false, start: LEFT, end: WIDTH - RIGHT },
        Axis { from: least, to: most, log, start: HEIGHT - BOTTOM, end: TOP },
    )
}

fn drawing(chart: &Chart) -> String {
    let (x, y) = axes(chart);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        escape(&spoken(chart))
    );
    svg += "<g class=\"grid\">";
    for (value, label) in y.ticks(5) {
        let at = y.place(value);
        svg += &format!("<path d=\"M{LEFT} {at:.1}H{:.1}\" />", WIDTH - RIGHT);
        svg += &words("end", LEFT - 8.0, at + 4.5, &label);
    }
    let base = HEIGHT - BOTTOM;
    for (value, label) in x.ticks(6) {
        let at = x.place(value);
        svg += &format!("<path d=\"M{at:.1} {base}v5\" />");
        svg += &words("middle", at, base + 20.0, &label);
    }
    svg += &words("end", WIDTH - RIGHT, HEIGHT - 4.0, "iteration");
    let unit = if y.log { format!("{} (log)", chart.axis) } else { chart.axis.clone() };
    svg += &words("start", LEFT, HEIGHT - 4.0, &format!("↑ {unit}"));
    svg += "</g>\n";
    for (number, curve) in chart.curves.iter().enumerate() {
        svg += &format!("<g class=\"c{}\">", number % COLOURS);
        svg += &one_curve(curve, chart, &x, &y);
        svg += "</g>\n";
    }
    svg + "</svg>"
}

fn words(anchor: &str, x: f64, y: f64, text: &str) -> String {
    let place = [("text-anchor", anchor), ("x", &format!("{x:.1}")), ("y", &format!("{y:.1}"))];
    tag("text", &place, text)
}

fn one_curve(curve: &Curve, chart: &Chart, x: &Axis, y: &Axis) -> String {
    let at = |point: &Point, value: f64| (x.place(f64::from(point.iteration)), y.place(value));
    let line: Vec<_> = finite(curve).map(|point| at(point, point.value)).collect();
    if curve.noisy {
        let thin = format!("<path class=\"thin\" d=\"{}\" />", path(&thinned(&line)));
        return format!("{thin}<path class=\"line\" d=\"{}\" />", path(&running_mean(curve, x, y)));
    }
    let mut svg = String::new();
    if let [(_, level)] = line[..] {
        svg += &format!("<path class=\"level\" d=\"M{:.1} {level:.1}H{:.1}\" />", x.start, x.end);
    }
    if finite(curve).any(|point| point.spread > 0.0) {
        let above = finite(curve).map(|point| at(point, point.value + point.spread));
        let below = finite(curve).map(|point| at(point, point.value - point.spread));
        let below: Vec<_> = below.collect();
        let around: Vec<_> = above.chain(below.into_iter().rev()).collect();
        svg += &format!("<path class=\"band\" d=\"{}Z\" />", path(&around));
    }
    svg += &format!("<path class=\"line\" d=\"{}\" />", path(&thinned(&line)));
    // With many measurements, dots would cover the curve.
    if (2..=60).contains(&line.len()) {
        for (point, (x, y)) in finite(curve).zip(&line) {
            let Point { iteration, value, spread } = point;
            let spread = if *spread > 0.0 { format!(" ± {spread:.2}") } else { String::new() };
            let title = format!("{value:.2}{spread} ({}) after {iteration} iterations", chart.axis);
            svg += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\">{}</circle>",
                tag("title", &[], &title)
            );
        }
    }
    svg
}

fn path(points: &[(f64, f64)]) -> String {
    let step = |(at, (x, y)): (usize, &(f64, f64))| {
        format!("{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' })
    };
    points.iter().enumerate().map(step).collect()
}

/// If there are more points than can be distinguished, the lowest and the highest of every stretch.
fn thinned(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if line.len() <= MOST_POINTS {
        return line.to_vec();
    }
    let stretch = line.len().div_ceil(MOST_POINTS / 2);
    let ends = |some: &[(f64, f64)]| {
        let of = |order: fn(&f64, &f64) -> std::cmp::Ordering| {
            (0..some.len()).max_by(|&a, &b| order(&some[a].1, &some[b].1)).unwrap_or(0)
        };
        let (high, low) = (of(f64::total_cmp), of(|a, b| b.total_cmp(a)));
        [some[high.min(low)], some[high.max(low)]]
    };
    line.chunks(stretch).flat_map(ends).collect()
}

/// Around every point, over a twentieth of all but at least 5 and at most 100 of them.
fn running_mean(curve: &Curve, x: &Axis, y: &Axis) -> Vec<(f64, f64)> {
    let points: Vec<_> = finite(curve).collect();
    let half = (points.len() / 20).clamp(5, 100) / 2;
    let mut sums = vec![0.0];
    for point in &points {
        sums.push(sums[sums.len() - 1] + point.value);
    }
    let mean = |at: usize| {
        // As far to one side as to the other, so that the ends do not bend.
        let reach = half.min(at).min(points.len() - 1 - at);
        let mean = (sums[at + reach + 1] - sums[at - reach]) / (2 * reach + 1) as f64;
        (x.place(f64::from(points[at].iteration)), y.place(mean))
    };
    thinned(&(0..points.len()).map(mean).collect::<Vec<_>>())
}

/// A text for readers who cannot see the drawing.
fn spoken(chart: &Chart) -> String {
    let ends = |curve: &Curve| {
        let (first, last) = (finite(curve).next()?, finite(curve).last()?);
        let name = if chart.curves.len() > 1 { format!("{}: ", curve.name) } else { String::new() };
        Some(format!(
            "{name}from {:.4} at iteration {} to {:.4} at iteration {}",
            first.value, first.iteration, last.value, last.iteration
        ))
    };
    let curves: Vec<_> = chart.curves.iter().filter_map(ends).collect();
    format!("{}, {}: {}", chart.title, chart.axis, curves.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> Chart {
        let point =
            |(at, &value): (usize, &f64)| Point { iteration: at as u32 + 1, value, spread: 0.0 };
        let points = values.iter().enumerate().map(point).collect();
        let curve = Curve { name: "dm".into(), points, noisy: true };
        Chart { title: "Loss".into(), axis: "loss".into(), span: 0.0, curves: vec![curve] }
    }

    #[test]
    fn ticks_are_round_and_within() {
        let axis = |from, to| Axis { from, to, log: false, start: 0.0, end: 1.0 };
        let labels = |axis: Axis, about| -> Vec<String> {
            axis.ticks(about).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(axis(0.0, 1000.0), 6), ["0", "200", "400", "600", "800", "1000"]);
        assert_eq!(labels(axis(0.5, 0.7), 4), ["0.50", "0.55", "0.60", "0.65", "0.70"]);
        assert_eq!(
            labels(axis(0.0, 20000.0), 4),
            ["0", "5000", "10\u{202f}000", "15\u{202f}000", "20\u{202f}000"]
        );
        assert_eq!(labels(axis(-2.0, 2.0), 4), ["−2", "−1", "0", "1", "2"]);
        let log = Axis { log: true, ..axis(0.08, 6.0) };
        assert_eq!(labels(log, 5), ["0.1", "0.2", "0.5", "1", "2", "5"]);
        assert_eq!(labels(Axis { log: true, ..axis(0.001, 1000.0) }, 5)[..2], ["0.001", "0.01"]);
    }

    #[test]
    fn axes_hold_every_value() {
        for values in [&[1.98, 0.88, 1.2][..], &[0.0, 5e-7], &[3.0, 3.0], &[1e9, 2e9], &[-1.0, 1.0]]
        {
            let chart = chart(values);
            let (x, y) = axes(&chart);
            for (at, &value) in values.iter().enumerate() {
                assert!((TOP..=HEIGHT - BOTTOM).contains(&y.place(value)), "{value}: {y:?}");
                assert!((LEFT..=WIDTH - RIGHT).contains(&x.place(at as f64 + 1.0)));
            }
            let ticks = y.ticks(5);
            assert!((2..12).contains(&ticks.len()), "{ticks:?}");
            assert!(drawing(&chart).contains("<path class=\"line\" d=\"M"));
        }
        let (_, y) = axes(&chart(&[100.0, 0.5]));
        assert!(y.log && y.place(100.0) < y.place(0.5), "{y:?}");
        let (_, y) = axes(&Chart { span: 5.0, ..chart(&[14.0, 14.2]) });
        assert!(y.from <= 11.6 && y.to >= 16.6, "{y:?}");
        assert!(!axes(&chart(&[100.0, 0.0])).1.log, "zero has no logarithm");
    }

    #[test]
    fn long_curves_keep_their_extremes() {
        let mut line: Vec<_> = (0..100_000).map(|x| (f64::from(x), 0.5)).collect();
        line[77_777].1 = 9.0;
        line[5].1 = -9.0;
        let thin = thinned(&line);
        assert!(thin.len() <= MOST_POINTS && thin.contains(&(77_777.0, 9.0)), "{}", thin.len());
        assert!(thin.contains(&(5.0, -9.0)) && thin.is_sorted_by_key(|(x, _)| *x));
    }

    #[test]
    fn means_follow_a_straight_line_to_its_ends() {
        let values: Vec<_> = (1..=40).map(f64::from).collect();
        let chart = chart(&values);
        let (x, y) = axes(&chart);
        for (value, (_, at)) in values.iter().zip(running_mean(&chart.curves[0], &x, &y)) {
            assert!((y.place(*value) - at).abs() < 1e-9);
        }
        let mut noisy = chart.curves[0].clone();
        noisy.points[10].value += 5.0;
        let (_, at) = running_mean(&noisy, &x, &y)[10];
        assert!((y.place(12.0) - at).abs() < 1e-9, "five values, one of them five larger");
    }

    #[test]
    fn nan_and_infinity_are_left_out_of_curves() {
        let svg = drawing(&chart(&[1.0, f64::NAN, 2.0, f64::INFINITY]));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
