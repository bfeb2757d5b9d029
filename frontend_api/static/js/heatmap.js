/**
 * The heatmap over the image that the model saw.
 *
 * The server sends bare maps in gray, one a class; colour, opacity and class are applied here, so that
 * the controls act at once.
 */

import { getBlob } from './api.js';
import { colormap } from './colormaps.js';
import { byId } from './dom.js';
import { className } from './format.js';

const SIZE = 224;
const maps = new Map();
let shown = null;

export function initHeatmap() {
  byId('opacity').addEventListener('input', applyOpacity);
  byId('colormap').addEventListener('change', () => {
    drawLegend();
    drawHeat();
  });
  byId('heat-class').addEventListener('change', drawHeat);
  applyOpacity();
  drawLegend();
}

/** Show the image of `prediction` and, when it was explained, the map of its likeliest class. */
export async function showHeatmap(prediction) {
  shown = prediction;
  maps.clear();
  clear(byId('scan'));
  clear(byId('heat'));
  delete byId('heat').dataset.class;
  byId('controls').hidden = !prediction.links.heatmap;
  byId('heat-note').textContent = prediction.links.heatmap ? '' : 'No heatmap was asked for.';
  fillClasses(prediction);
  try {
    const [image] = await Promise.all([pixels(prediction.links.image), drawHeat()]);
    if (shown === prediction) byId('scan').getContext('2d').putImageData(image, 0, 0);
  } catch (error) {
    if (shown === prediction) byId('heat-note').textContent = error.message;
  }
}

export function clearHeatmap() {
  shown = null;
  maps.clear();
}

function fillClasses(prediction) {
  const names = Object.keys(prediction.probabilities)
    .sort((a, b) => prediction.probabilities[b] - prediction.probabilities[a]);
  byId('heat-class').replaceChildren(...names.map((name) => new Option(className(name), name)));
  byId('heat-class').value = prediction.label;
}

async function drawHeat() {
  const prediction = shown;
  if (!prediction?.links.heatmap) return;
  const name = byId('heat-class').value;
  try {
    const map = await bareMap(prediction, name);
    if (shown !== prediction || byId('heat-class').value !== name) return;
    const empty = paint(byId('heat'), map, colormap(byId('colormap').value));
    byId('heat').dataset.class = name;
    byId('heat').setAttribute('aria-label', `Heatmap: where the model looked for ${className(name)}`);
    byId('heat-note').textContent = empty
      ? `Nothing in this image speaks for ${className(name)}: its map is empty.` : '';
  } catch (error) {
    if (shown === prediction) byId('heat-note').textContent = error.message;
  }
}

function bareMap(prediction, name) {
  if (!maps.has(name)) {
    const query = new URLSearchParams({ class: name, colormap: 'gray', opacity: '1' });
    const loading = pixels(`${prediction.links.heatmap}?${query}`);
    loading.catch(() => maps.delete(name));
    maps.set(name, loading);
  }
  return maps.get(name);
}

/** Colour `map`; weak places are let through, so that the anatomy stays legible. True if all is 0. */
function paint(canvas, map, table) {
  const picture = new ImageData(SIZE, SIZE);
  let highest = 0;
  for (let at = 0; at < picture.data.length; at += 4) {
    const value = map.data[at];
    highest = Math.max(highest, value);
    picture.data.set(table.subarray(value * 3, value * 3 + 3), at);
    picture.data[at + 3] = 255 * (value / 255) ** 0.7;
  }
  canvas.getContext('2d').putImageData(picture, 0, 0);
  return highest === 0;
}

async function pixels(path) {
  const bitmap = await createImageBitmap(await getBlob(path), { colorSpaceConversion: 'none' });
  const canvas = new OffscreenCanvas(SIZE, SIZE);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, SIZE, SIZE);
  bitmap.close();
  return context.getImageData(0, 0, SIZE, SIZE);
}

function applyOpacity() {
  const value = Number(byId('opacity').value);
  byId('heat').style.opacity = value / 100;
  byId('opacity-value').textContent = `${value} %`;
}

function drawLegend() {
  const table = colormap(byId('colormap').value);
  const strip = new ImageData(256, 1);
  for (let value = 0; value < 256; value += 1) {
    strip.data.set([...table.subarray(value * 3, value * 3 + 3), 255], value * 4);
  }
  byId('legend').getContext('2d').putImageData(strip, 0, 0);
}

function clear(canvas) {
  canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
}
