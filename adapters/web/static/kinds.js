// What kind of file this is, by its first bytes: what it is called, or said to be, proves nothing.

const HEAD = 4096; // bytes that are looked at
const text = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));
const STARTS = [
  ["\xff\xd8\xff", "image/jpeg"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["GIF8", "image/gif"],
  ["II*\0", "image/tiff"],
  ["MM\0*", "image/tiff"],
  ["II+\0", "image/tiff"],
  ["MM\0+", "image/tiff"],
  ["%PDF", "application/pdf"],
  ["{\\rtf", "application/rtf"],
];
const BRANDS = { avif: "image/avif", avis: "image/avif" };
for (const brand of ["heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"]) BRANDS[brand] = "image/heic";

// A MIME type, "text/plain" for any text, or "" for what isn't known here.
export async function kindOf(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const start = text(bytes, 0, 16);
  const found = STARTS.find(([magic]) => start.startsWith(magic));
  if (found) return found[1];
  if (start.startsWith("BM") && start.slice(6, 10) === "\0\0\0\0") return "image/bmp"; // two letters begin many a text
  if (start.startsWith("RIFF") && start.slice(8, 12) === "WEBP") return "image/webp";
  if (start.slice(4, 8) === "ftyp") return BRANDS[start.slice(8, 12)] ?? "video/mp4";
  return isText(bytes) ? "text/plain" : "";
}

// UTF-8 (whose last character the end of the head may have cut), UTF-16 with its mark, GB 18030, or mostly ASCII; without signs that no text has.
function isText(bytes) {
  const marked = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (marked) return true;
  if (bytes.some((byte) => byte < 32 && ![8, 9, 10, 12, 13, 27].includes(byte))) return false;
  if (bytes.filter((byte) => byte < 128).length > 0.9 * bytes.length) return true; // mostly ASCII, in whatever encoding
  return ["utf-8", "gb18030"].some((encoding) => {
    try {
      new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
      return true;
    } catch {
      return false;
    }
  });
}

// The name that people know a kind by: "PDF", "HEIC"; of an unknown one the end of the file's name.
export function nameOf(kind, name) {
  if (kind && kind !== "text/plain") return kind.split("/")[1].toUpperCase();
  return /\.([A-Za-z0-9]{1,8})$/.exec(name)?.[1].toUpperCase() ?? "";
}
