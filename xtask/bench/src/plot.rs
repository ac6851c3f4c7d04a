//! Draws a bar chart in SVG that is readable on a light and on a dark page.

use std::fmt::Write as _;

use crate::summary::Summary;

const ROW: f64 = 26.0;
const LABELS: f64 = 130.0;
const WIDTH: f64 = 560.0;

/// Bars of the medians, with the name before and the number after each; a thin line shows the range from the minimum to
/// the maximum. The names must not contain characters that XML reserves.
pub(crate) fn bars(rows: &[(String, Summary)]) -> String {
    let max = rows.iter().map(|(_, summary)| summary.max).fold(1.0, f64::max);
    let height = ROW * crate::measure::number(rows.len()) + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#888\">\n\
         <title>CPU time of workerd per request in microseconds</title>\n",
        total = LABELS + WIDTH + 70.0
    );
    for (index, (name, summary)) in rows.iter().enumerate() {
        let y = ROW * crate::measure::number(index) + 20.0;
        let x = |value: f64| LABELS + value / max * WIDTH;
        let (middle, is_ours) = (y - 4.5, !name.contains('-') || name.ends_with("-many"));
        let color = if is_ours { "#3b7dd8" } else { "#9aa4b2" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABELS}\" y=\"{}\" width=\"{:.1}\" height=\"16\" fill=\"{color}\"/>\
             <path d=\"M{:.1} {middle}H{:.1}\" stroke=\"#888\"/>\
             <text x=\"{:.1}\" y=\"{y}\">{:.0}</text>",
            LABELS - 8.0,
            y - 12.5,
            x(summary.median) - LABELS,
            x(summary.min),
            x(summary.max),
            x(summary.max) + 6.0,
            summary.median
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LABELS}\" y=\"{}\">CPU time of workerd per request in microseconds; the line shows minimum to maximum</text>\n</svg>",
        height - 8.0
    );
    svg
}
