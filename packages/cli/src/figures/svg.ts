/** What all SVGs have in common. */

/** Contrast of 4.5 to 1 with white and with black (WCAG AA). */
export const TEXT = "#767676";

/** About how wide a text is in a font of so many pixels. */
export const textWidth = (text: string, size: number): number => 0.6 * size * text.length;

/** Text as it stands in XML and HTML, attributes included; what no document may have becomes U+FFFD. */
export const escapeText = (text: string): string =>
  text
    .replace(/[<>&"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
    .replace(/[^\t\n\r -\ud7ff\ue000-\ufffd]/g, "\ufffd");
