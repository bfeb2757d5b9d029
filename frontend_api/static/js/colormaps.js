/** Colour maps as 256 red-green-blue entries, from 17 evenly spaced colours of matplotlib's. */

const STOPS = {
  inferno: '000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d '
    + 'f98e09 fcac11 f9cb35 f2ea69 fcffa4',
  viridis: '440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 '
    + '5ec962 84d44b addc30 d8e219 fde725',
  jet: '000080 0000c8 0000ff 0040ff 0080ff 00c0ff 16ffe1 49ffad 7dff7a b1ff46 e4ff13 ffd000 '
    + 'ff9400 ff5900 ff1e00 c40000 800000',
  gray: '000000 ffffff',
};

/** The table of `name`: 256 × 3 bytes. */
export function colormap(name) {
  const stops = STOPS[name].split(' ').map(
    (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)),
  );
  const table = new Uint8ClampedArray(256 * 3);
  for (let value = 0; value < 256; value += 1) {
    const place = (value / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    for (let channel = 0; channel < 3; channel += 1) {
      const [from, to] = [stops[low][channel], stops[low + 1][channel]];
      table[value * 3 + channel] = from + (to - from) * (place - low);
    }
  }
  return table;
}
