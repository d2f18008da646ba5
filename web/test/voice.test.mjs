import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, fileSize } from '../js/format.js';
import { loudness, recordingName, waveform } from '../js/voice.js';

test('a waveform has few bars, and the loudest part fills them', () => {
  assert.deepEqual(waveform([]), []);
  assert.deepEqual(waveform([0, 0]), [0, 0]);
  assert.deepEqual(waveform([0.1, 0.2, 0.05]), [512, 1024, 256]);
  const long = waveform(Array.from({ length: 1000 }, (_, place) => (place === 500 ? 0.4 : 0.1)), 10);
  assert.deepEqual(long, [256, 256, 256, 256, 256, 1024, 256, 256, 256, 256]);
});

test('loudness is between nothing and everything', () => {
  assert.equal(loudness(new Float32Array(4)), 0);
  assert.equal(loudness(new Float32Array([1, -1, 1, -1])), 1);
  assert.equal(loudness(new Float32Array()), 0);
});

test('a recording is called after its type', () => {
  assert.deepEqual(['audio/ogg;codecs=opus', 'audio/webm;codecs=opus', 'audio/mp4'].map(recordingName), ['Voice message.ogg', 'Voice message.webm', 'Voice message.m4a']);
});

test('sizes and lengths as people read them', () => {
  assert.deepEqual([0, 999, 1000, 48_213, 3_240_000, 12_000_000, 5e12].map(fileSize), ['0 B', '999 B', '1 kB', '48 kB', '3.2 MB', '12 MB', '5000 GB']);
  assert.deepEqual([0, 999, 7_400, 61_000, 3_765_000, undefined].map(duration), ['0:00', '0:01', '0:07', '1:01', '1:02:45', '0:00']);
});
