//! The chart: a panel for each table, a bar for each system, on a logarithmic scale.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Outcome;
use crate::report::{Table, time};

const COLUMNS: usize = 2;
const WIDTH: u32 = 560;
/// Pixels of a bar with its gap, and of what a panel has besides.
const BAR: u32 = 20;
const REST: u32 = 40;
/// Pixels to the left of the bars, for names, and to the right, for times.
const NAMES: i32 = 190;
const TIMES: i32 = 80;

const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const THEIRS: RGBColor = RGBColor(0xb0, 0xb7, 0xbf);
/// The raw limits, which are no systems.
const LIMIT: RGBColor = RGBColor(0xd9, 0xc8, 0x9a);

/// The chart of all tables, as SVG.
pub fn draw(tables: &[Table]) -> Outcome<String> {
    let mut text = String::new();
    {
        let rows: Vec<&[Table]> = tables.chunks(COLUMNS).collect();
        let heights: Vec<u32> = rows
            .iter()
            .map(|row| REST + BAR * row.iter().map(|table| table.rows.len()).max().unwrap_or(0) as u32)
            .collect();
        let size = (WIDTH * COLUMNS as u32, heights.iter().sum::<u32>().max(1));
        let mut rest = SVGBackend::with_string(&mut text, size).into_drawing_area();
        rest.fill(&WHITE).map_err(|error| error.to_string())?;
        for (row, height) in rows.iter().zip(heights) {
            let (above, below) = rest.split_vertically(height);
            for (panel, table) in above.split_evenly((1, COLUMNS)).iter().zip(*row) {
                draw_panel(panel, table).map_err(|error| error.to_string())?;
            }
            rest = below;
        }
        rest.present().map_err(|error| error.to_string())?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_panel(area: &Area<'_>, table: &Table) -> Result<(), Box<dyn std::error::Error>> {
    let black = |size: u32| ("sans-serif", size).into_font().color(&BLACK);
    area.draw_text(&table.title, &black(14), (8, 8))?;
    let measures: Vec<f64> =
        table.rows.iter().map(|row| row.measure()).filter(|time| time.is_finite()).collect();
    let most = measures.iter().copied().fold(1.0, f64::max);
    // The shortest bar is to be seen.
    let least = measures.iter().copied().fold(most, f64::min) / 2.0;
    let full = f64::from(WIDTH as i32 - NAMES - TIMES);
    for (index, row) in table.rows.iter().enumerate() {
        let top = 30 + index as i32 * BAR as i32;
        let color = match row.name.as_str() {
            name if name.starts_with("machipc") => OURS,
            name if name.starts_with("ring") => LIMIT,
            _ => THEIRS,
        };
        area.draw_text(&format!("{} ({})", row.name, row.waiting), &black(11), (8, top + 2))?;
        let length = full * (row.measure() / least).ln() / (most / least).ln().max(f64::MIN_POSITIVE);
        if length.is_finite() {
            let bar = [(NAMES, top), (NAMES + length as i32, top + BAR as i32 - 5)];
            area.draw(&Rectangle::new(bar, color.filled()))?;
            area.draw_text(&time(row.measure()), &black(11), (NAMES + length as i32 + 5, top + 2))?;
        }
    }
    Ok(())
}
