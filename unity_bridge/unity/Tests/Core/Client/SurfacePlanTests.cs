#nullable enable
using System.IO;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    /// <summary>Levels of detail that contradict one another: the golden vectors that Python refuses, too.</summary>
    public sealed class SurfacePlanTests
    {
        [TestCase("levels_too_many")]
        [TestCase("levels_that_do_not_grow")]
        [TestCase("levels_without_the_surface")]
        [TestCase("level_negative_deviation")]
        [TestCase("level_p95_beyond_max")]
        [TestCase("level_form_without_its_size")]
        [TestCase("level_size_without_its_form")]
        public void LevelsThatContradictOneAnotherAreRefused(string name)
        {
            var entry = Manifest($"wire/refused/{name}.bin").Surfaces[0];
            Assert.Throws<MalformedMessageException>(() => SurfacePlan.LevelsOf(entry));
        }

        [Test]
        public void GoodLevelsAreTaken()
        {
            Assert.That(SurfacePlan.LevelsOf(Manifest("wire/surface_manifest_levels.bin").Surfaces[0]).Count, Is.EqualTo(2));
            Assert.That(SurfacePlan.LevelsOf(Manifest("wire/surface_manifest.bin").Surfaces[0]).Count, Is.EqualTo(1));
        }

        private static SurfaceManifest Manifest(string name)
        {
            return (SurfaceManifest)MessageCodec.Decode(File.ReadAllBytes(JsonFile.Find(name)), out _);
        }
    }
}
