#nullable enable
using System;
using System.Text;
using NUnit.Framework;
using SurgNav.Core.Transport;
using SurgNav.Core.Transport.Crypto;

namespace SurgNav.Core.Tests
{
    /// <summary>
    /// Published vectors: RFC 7748 (X25519), RFC 8439 (Poly1305), and for boxes Alice's and Bob's of NaCl's own tests, which
    /// "Cryptography in NaCl" (Bernstein, 2009) prints.
    /// </summary>
    public sealed class CryptoTests
    {
        private const string AliceSecret = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        private const string AlicePublic = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        private const string BobSecret = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
        private const string BobPublic = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
        private const string SharedPoint = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        private const string SharedKey = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389";
        private const string Nonce = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";

        private const string Message =
            "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f4"
            + "1db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52"
            + "f0a089bc76897040e082f937763848645e0705";

        private const string Box =
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b"
            + "4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da"
            + "99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5";

        [TestCase(AliceSecret, AlicePublic)]
        [TestCase(BobSecret, BobPublic)]
        public void PublicKeysFollowFromSecretOnes(string secret, string expected)
        {
            var found = new byte[32];
            Curve25519.PublicKey(found, Hex.Bytes(secret));
            Assert.That(Hex.Text(found), Is.EqualTo(expected));
        }

        [TestCase(AliceSecret, BobPublic, SharedPoint)]
        [TestCase(BobSecret, AlicePublic, SharedPoint)]
        [TestCase(
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")]
        [TestCase(
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")]
        public void X25519OfTheRfc(string scalar, string point, string expected)
        {
            var found = new byte[32];
            Curve25519.Multiply(found, Hex.Bytes(scalar), Hex.Bytes(point));
            Assert.That(Hex.Text(found), Is.EqualTo(expected));
        }

        [TestCase(1, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")]
        [TestCase(1000, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")]
        public void X25519OverAndOver(int times, string expected)
        {
            var scalar = new byte[32];
            scalar[0] = 9;
            var point = (byte[])scalar.Clone();
            for (int round = 0; round < times; round++)
            {
                var next = new byte[32];
                Curve25519.Multiply(next, scalar, point);
                point = scalar;
                scalar = next;
            }

            Assert.That(Hex.Text(scalar), Is.EqualTo(expected));
        }

        [Test]
        public void NumbersFromPUpwardsCountModuloP()
        {
            // 2^255 - 19 + 9 is the base point once more (RFC 7748, section 5: non-canonical values are accepted).
            var point = Hex.Bytes("f6" + new string('f', 60) + "7f");
            var found = new byte[32];
            Curve25519.Multiply(found, Hex.Bytes(AliceSecret), point);
            Assert.That(Hex.Text(found), Is.EqualTo(AlicePublic));
        }

        [TestCase(
            "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
            "43727970746f6772617068696320466f72756d2052657365617263682047726f7570",
            "a8061dc1305136c6c22b8baf0c0127a9")]
        [TestCase(
            "0200000000000000000000000000000000000000000000000000000000000000",
            "ffffffffffffffffffffffffffffffff",
            "03000000000000000000000000000000")]
        [TestCase(
            "02000000000000000000000000000000ffffffffffffffffffffffffffffffff",
            "02000000000000000000000000000000",
            "03000000000000000000000000000000")]
        [TestCase(
            "0100000000000000000000000000000000000000000000000000000000000000",
            "fffffffffffffffffffffffffffffffff0ffffffffffffffffffffffffffffff11000000000000000000000000000000",
            "05000000000000000000000000000000")]
        [TestCase(
            "0100000000000000000000000000000000000000000000000000000000000000",
            "fffffffffffffffffffffffffffffffffbfefefefefefefefefefefefefefefe01010101010101010101010101010101",
            "00000000000000000000000000000000")]
        [TestCase(
            "0200000000000000000000000000000000000000000000000000000000000000",
            "fdffffffffffffffffffffffffffffff",
            "faffffffffffffffffffffffffffffff")]
        public void Poly1305OfTheRfc(string key, string message, string expected)
        {
            var tag = new byte[16];
            Poly1305.Tag(tag, Hex.Bytes(message), Hex.Bytes(key));
            Assert.That(Hex.Text(tag), Is.EqualTo(expected));
        }

        [Test]
        public void AliceAndBobShareAKey()
        {
            var shared = new byte[32];
            SecretBox.SharedKey(shared, Hex.Bytes(BobPublic), Hex.Bytes(AliceSecret));
            Assert.That(Hex.Text(shared), Is.EqualTo(SharedKey));
        }

        [Test]
        public void TheBoxOfNaCl()
        {
            var box = new byte[16 + Hex.Bytes(Message).Length];
            Hex.Bytes(Message).CopyTo(box, 16);
            SecretBox.Seal(box, Hex.Bytes(SharedKey), Hex.Bytes(Nonce));
            Assert.That(Hex.Text(box), Is.EqualTo(Box));
            Assert.That(SecretBox.TryOpen(box, Hex.Bytes(SharedKey), Hex.Bytes(Nonce)), Is.True);
            Assert.That(Hex.Text(box.AsSpan(16)), Is.EqualTo(Message));
        }

        [Test]
        public void EveryChangedBitOfABoxIsNoticed()
        {
            var genuine = Hex.Bytes(Box);
            for (int bit = 0; bit < 8 * genuine.Length; bit++)
            {
                var changed = (byte[])genuine.Clone();
                changed[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.That(SecretBox.TryOpen(changed, Hex.Bytes(SharedKey), Hex.Bytes(Nonce)), Is.False, $"bit {bit}");
            }

            Assert.That(SecretBox.TryOpen(new byte[15], Hex.Bytes(SharedKey), Hex.Bytes(Nonce)), Is.False);
        }

        [Test]
        public void BoxesOfAllSizesOpen()
        {
            var random = new Random(20261125);
            for (int size = 0; size < 300; size++)
            {
                var box = new byte[16 + size];
                random.NextBytes(box);
                var message = Hex.Text(box.AsSpan(16));
                SecretBox.Seal(box, Hex.Bytes(SharedKey), Hex.Bytes(Nonce));
                Assert.That(size < 8 || Hex.Text(box.AsSpan(16)) != message, Is.True);
                Assert.That(SecretBox.TryOpen(box, Hex.Bytes(SharedKey), Hex.Bytes(Nonce)), Is.True);
                Assert.That(Hex.Text(box.AsSpan(16)), Is.EqualTo(message));
            }
        }

        [Test]
        public void Z85OfTheRfc()
        {
            Assert.That(Z85.Encode(Hex.Bytes("864fd26fb559f75b")), Is.EqualTo("HelloWorld"));
            Assert.That(Hex.Text(Z85.Decode("HelloWorld")), Is.EqualTo("864fd26fb559f75b"));
        }

        [TestCase("Hell")]
        [TestCase("Hell~")]
        [TestCase("#####")]
        public void WhatIsNotZ85IsRefused(string text)
        {
            Assert.That(() => Z85.Decode(text), Throws.TypeOf<TransportException>());
        }

        [Test]
        public void KeysOfTheWrongSizeAreRefusedAndNotRepeated()
        {
            string secret = CurveKeys.NewSecret();
            Assert.That(() => new CurveKeys(secret, "HelloWorld"), Throws.TypeOf<TransportException>());
            var error = Assert.Throws<TransportException>(() => new CurveKeys(secret, secret.Substring(1)));
            Assert.That(error!.Message.Contains(secret.Substring(1)), Is.False);
            Assert.That(CurveKeys.NewSecret(), Is.Not.EqualTo(secret));
            Assert.That(new CurveKeys(secret, secret).PublicKey, Is.EqualTo(CurveKeys.PublicKeyOf(secret)));
        }
    }
}
