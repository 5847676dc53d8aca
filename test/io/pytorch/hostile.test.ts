import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPytorch, stateDictOf, WeightFileError } from '../../../src/io/index.ts';
import { golden, truncations } from '../golden.ts';

const GOOD = ['views.pt', 'views-legacy.pt', 'checkpoint.pt', 'checkpoint-legacy-5.pt', 'checkpoint-legacy-1.pt'];

/** The one line of refusal, or what shows that there was none. Any other error fails the test. */
function refusal(bytes: Uint8Array): string {
  try {
    stateDictOf(readPytorch(bytes, 'w.pt'), 'w.pt');
  } catch (error) {
    if (!(error instanceof WeightFileError)) throw error;
    expect(error.message).toMatch(/^w\.pt: [^\n]+\.$/);
    return error.message;
  }
  return 'read without error';
}

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const LEGACY_HEAD = '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.';
const NO_STORAGES = '\x80\x02].';
/** A legacy file around the pickle of its value. */
const legacy = (pickle: string): Uint8Array => latin1(`${LEGACY_HEAD}${pickle}${NO_STORAGES}`);
const u32 = (value: number): string => String.fromCharCode(...new Uint8Array(Uint32Array.of(value).buffer));

describe('files that want to run something', () => {
  it.each(['malicious.pt', 'malicious-legacy.pt', 'malicious-plain.pt'])('%s is refused by name', (name) => {
    expect(refusal(golden(name))).toContain("the file wants to import 'os.system' (as 'posix.system'); refused");
  });

  it('refuses every import that is not on the list, whatever opcode it uses', () => {
    expect(refusal(golden('malicious-protocol0.pt'))).toContain("wants to import 'os.system'; refused");
    expect(refusal(golden('module.pt'))).toContain("wants to import 'torch.nn.modules.linear.Linear'; refused");
    expect(refusal(legacy('cos\nsystem\n.'))).toContain("'os.system'");
    expect(refusal(legacy('\x8c\x02os\x8c\x06system\x93.'))).toContain("'os.system'");
    expect(refusal(legacy('(ios\nsystem\n.'))).toContain("'os.system'");
    expect(refusal(legacy('c__builtin__\neval\n.'))).toContain("'__builtin__.eval'");
    expect(refusal(legacy('cbuiltins\n__proto__\n.'))).toContain("'builtins.__proto__'");
    expect(refusal(legacy('ctorch\nFloatStorage\nc\nconstructor\n.'))).toContain("'.constructor'");
    expect(refusal(legacy('\x8c\x01a\x8c\x07b\nc\x1b[2J\x93.'))).toContain("'a.b\\nc\\u001b[2J'");
  });

  it('calls nothing but the functions on the list', () => {
    expect(refusal(legacy('}\x85R.'))).toContain('its pickle takes a value that is not there');
    expect(refusal(legacy('X\x01\0\0\0a)R.'))).toContain('calls what is no allowed function');
    expect(refusal(legacy('ctorch\nFloatStorage\n)R.'))).toContain('calls what is no allowed function');
    expect(refusal(legacy('ctorch\nTensor\n)\x81.'))).toContain('in a way that PyTorch never writes');
    expect(refusal(legacy('ccollections\nOrderedDict\n}R.'))).toContain('without a tuple of arguments');
    expect(refusal(legacy('ccollections\nOrderedDict\nK\x01\x85R.'))).toContain("calls 'collections.OrderedDict'");
    expect(refusal(legacy(']}b.'))).toContain('sets attributes of what is no dictionary');
  });
});

describe('damaged pickles', () => {
  it.each([
    ['.', 'takes a value|exactly one value'],
    ['}].', 'exactly one value'],
    ['(}.', 'exactly one value'],
    ['t.', 'closes a group that it never opened'],
    ['K\x01(0.', 'takes a value that is not there'],
    ['h\x05.', 'refers to value 5, which it never stored'],
    ['K\x01K\x02a.', 'appends to what is no list'],
    ['K\x01(e.', 'appends to what is no list'],
    ['](\x90.', 'adds to what is no set'],
    [']K\x01K\x02s.', 'sets an item of what is no dictionary'],
    ['}(K\x01u.', 'a dictionary key without a value'],
    ['\x80\x06}.', 'of a protocol above 5'],
    ['\x82\x01.', 'holds the opcode 0x82'],
    ['K\x01K\x02\x93.', 'imports what is no name'],
    ['K\x01Q.', 'refers to stored data in a way'],
    ['I12x\n.', 'an integer that is none'],
    [`\x8b${u32(2 ** 31)}.`, 'an integer of 2147483648 bytes'],
    [`X${u32(2 ** 32 - 1)}a.`, 'truncated or damaged: 4294967295 more bytes'],
    [`\x8e\xff\xff\xff\xff\xff\xff\xff\xffa.`, 'truncated or damaged'],
    ['\x8c\x01\xff.', 'not UTF-8'],
  ])('%j', (pickle, message) => expect(refusal(legacy(pickle))).toMatch(new RegExp(message)));

  it('reads deep nesting without recursion', () => {
    expect(refusal(legacy(`)${'\x85'.repeat(500_000)}.`))).toContain('holds no state dict');
    expect(refusal(legacy(`${'('.repeat(500_000)}.`))).toContain('exactly one value');
  });

  it('bounds the memory and the time of a pickle', () => {
    expect(refusal(legacy('}0'.repeat(1_000_001)))).toContain('more than 1000000 lists and dictionaries');
    expect(refusal(legacy('N0'.repeat(2_000_001)))).toContain('longer than 4000000 operations');
  });
});

describe('damaged archives and storages', () => {
  it.each([
    ['big-endian.pt', 'was written on a big-endian machine'],
    ['big-endian-legacy.pt', 'was written on a big-endian machine'],
    ['compressed.pt', 'holds the compressed zip record'],
    ['lacking.pt', "lacks the zip record data/'0'"],
    ['short-storage.pt', "storage '0' has 92 bytes, its tensors expect 96"],
    ['outside.pt', "the tensor 'base' of shape [4, 6] reaches outside of its storage '0' of 24 values"],
    [
      'expanded.pt',
      "refused at the tensor 'expanded' of shape [1073741824, 2]: its tensors would fill more than 16 times",
    ],
    ['script.pt', 'is a TorchScript program'],
    ['plain.pt', 'is a Python pickle that torch.save did not write'],
  ])('%s: %s', (name, message) => expect(refusal(golden(name))).toContain(message));

  const storage = (type: string, key: string, count: string, view = 'N'): string =>
    `(X\x07\0\0\0storagectorch\n${type}\nX\x01\0\0\0${key}X\x03\0\0\0cpu${count}${view}tQ`;
  const tensor = (window: string, rest: string): string => `ctorch._utils\n_rebuild_tensor\n(${window}${rest}tR`;
  const dictionary = (...tensors: string[]): string =>
    `}(${tensors.map((text, i) => `X\x01\0\0\0${'abc'[i]}${text}`).join('')}u.`;
  const keys = (key: string): string => `](X\x01\0\0\0${key}e.`;
  const numbers = (...values: number[]): string =>
    String.fromCharCode(...new Uint8Array(Float32Array.from(values).buffer));
  const file = (pickle: string, stored: string): Uint8Array => latin1(LEGACY_HEAD + pickle + stored);
  const two = `${keys('k')}\x02\0\0\0\0\0\0\0${numbers(3, 4)}`;

  it('reads a storage that is a view of another, as the legacy format may say', () => {
    const view = tensor(storage('FloatStorage', 'k', 'K\x02', '(X\x01\0\0\0vK\x01K\x01t'), 'K\x00K\x01\x85K\x01\x85');
    const state = stateDictOf(readPytorch(file(dictionary(view), two)));
    expect([...state.get('a')!.data]).toEqual([4]);
    const outside = tensor(
      storage('FloatStorage', 'k', 'K\x02', '(X\x01\0\0\0vK\x01K\x02t'),
      'K\x00K\x01\x85K\x01\x85',
    );
    expect(refusal(file(dictionary(outside), two))).toContain('a view reaches outside of its storage');
  });

  it('refuses storages that do not fit what the pickle says', () => {
    const whole = dictionary(tensor(storage('FloatStorage', 'k', 'K\x02'), 'K\x00K\x02\x85K\x01\x85'));
    expect(refusal(file(whole, two))).toBe('read without error');
    expect(refusal(file(whole, `${keys('k')}\x03\0\0\0\0\0\0\0${numbers(3, 4, 5)}`))).toContain('3 values, expected 2');
    expect(refusal(file(whole, `${keys('z')}\x02\0\0\0\0\0\0\0${numbers(3, 4)}`))).toContain('that no tensor uses');
    expect(refusal(file(whole, '].'))).toContain("needs storage 'k', which is missing");
    expect(refusal(file(whole, 'K\x01.'))).toContain('the list of its storages is missing');
    const twice = dictionary(
      tensor(storage('FloatStorage', 'k', 'K\x02'), 'K\x00K\x02\x85K\x01\x85'),
      tensor(storage('DoubleStorage', 'k', 'K\x01'), 'K\x00K\x01\x85K\x01\x85'),
    );
    expect(refusal(file(twice, two))).toContain("two sizes of storage 'k'");
  });

  it('refuses tensors that cannot be', () => {
    const of = (rest: string): string =>
      refusal(file(dictionary(tensor(storage('FloatStorage', 'k', 'K\x02'), rest)), two));
    expect(of('K\x01K\x02\x85K\x01\x85')).toContain("the tensor 'a' of shape [2] reaches outside of its storage");
    expect(of('K\x00K\x02\x85K\x02\x85')).toContain('reaches outside');
    expect(of('K\x00K\x02\x85)')).toContain('has strides []');
    expect(of('K\x00J\xff\xff\xff\xff\x85K\x01\x85')).toContain("calls '_rebuild_tensor' with arguments");
    expect(of('K\x00K\x02\x85J\xff\xff\xff\xff\x85')).toContain("calls '_rebuild_tensor' with arguments");
    const large = '\x8a\x07\xff\xff\xff\xff\xff\xff\x0f';
    expect(of(`K\x00${large}${large}\x86K\x00K\x00\x86`)).toContain('reaches outside');
    expect(of(`K\x00(${'K\x01'.repeat(65)}t(${'K\x01'.repeat(65)}t`)).toContain('… 65 sizes] has strides');
  });
});

describe.each(GOOD)('%s, damaged at random', (name) => {
  const file = golden(name);

  it('truncated anywhere: an error of its own', () => {
    for (const part of truncations(file, 600)) expect(refusal(part)).not.toBe('read without error');
  });

  it('with bytes changed: read, or an error of its own', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const damaged = file.slice();
          for (const [at, value] of changes) damaged[at] = value;
          if (refusal(damaged) !== 'read without error') refused++;
        },
      ),
      { seed: 4, numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});
