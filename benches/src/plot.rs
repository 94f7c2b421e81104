//! The rate over the records loaded, as an SVG: a line that stays flat is the aim.

use std::fmt::Write;

use crate::Arguments;
use crate::phases::BATCH;
use crate::rounds::Lines;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 20.0;
const RIGHT: f64 = 130.0;
/// Points of a line at most: each is the mean of its batches.
const POINTS: usize = 100;
const COLOURS: [&str; 6] = ["#c0392b", "#2980b9", "#27ae60", "#8e44ad", "#d35400", "#7f8c8d"];

/// A line per engine, on a logarithmic scale from 1,000 records/s on.
pub(crate) fn svg(arguments: &Arguments, lines: &Lines) -> String {
    let (least, most) = (1e3_f64, 1e7_f64);
    let x = |records: f64| LEFT + (WIDTH - LEFT - RIGHT) * records / arguments.records as f64;
    let y = |rate: f64| {
        let share = (rate.clamp(least, most) / least).log10() / (most / least).log10();
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text).expect("a string takes everything");
        out.push('\n');
    };
    for decade in 3..=7 {
        let rate = 10_f64.powi(decade);
        let (at, end) = (y(rate), WIDTH - RIGHT);
        line(format_args!(
            "<path d=\"M{LEFT} {at:.1}H{end}\" stroke=\"#ddd\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{rate}/s</text>",
            LEFT - 8.0,
            at + 4.0
        ));
    }
    for quarter in 0..=4_u64 {
        let records = arguments.records * quarter / 4;
        line(format_args!(
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{records}</text>",
            x(records as f64),
            HEIGHT - BOTTOM + 20.0
        ));
    }
    for (engine, colour) in arguments.engines.iter().zip(COLOURS.iter().cycle()) {
        let Some(batches) = lines.batches.get(engine.as_str()) else { continue };
        let mut path = String::new();
        let mut last = 0.0;
        for (at, group) in batches.chunks(batches.len().div_ceil(POINTS).max(1)).enumerate() {
            let width = batches.len().div_ceil(POINTS).max(1) as u64 * BATCH;
            let middle = (at as u64 * width + group.len() as u64 * BATCH / 2) as f64;
            let seconds: f64 = group.iter().sum();
            let rate = group.len() as f64 * BATCH as f64 / seconds;
            let command = if at == 0 { 'M' } else { 'L' };
            last = y(rate);
            write!(path, "{command}{:.1} {last:.1}", x(middle.min(arguments.records as f64)))
                .expect("a string takes everything");
        }
        line(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" fill=\"{colour}\">{engine}</text>",
            WIDTH - RIGHT + 10.0,
            last + 4.0
        ));
    }
    out.push_str("</svg>\n");
    out
}
