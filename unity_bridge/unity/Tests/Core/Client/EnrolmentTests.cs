#nullable enable
using NUnit.Framework;
using SurgNav.Core.Client;

namespace SurgNav.Core.Tests
{
    public sealed class EnrolmentTests
    {
        private const string Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        private const string Text = "surgnav:1?name=hololens-1&host=192.168.1.10&host=server.local&poses=5570&surfaces=5571"
            + "&control=5572&server=" + Key + "&secret=" + Key + "&later=thing";

        [Test]
        public void AllThatIsNeededIsInOneLine()
        {
            var settings = ClientSettings.FromEnrolment(Text + "\n");
            Assert.That(settings.Name, Is.EqualTo("hololens-1"));
            Assert.That(settings.PoseEndpoint, Is.EqualTo("tcp://192.168.1.10:5570"));
            Assert.That(settings.ControlEndpoint, Is.EqualTo("tcp://192.168.1.10:5572"));
            Assert.That(settings.Keys, Is.Not.Null);
        }

        [TestCase("surgnav:2?name=a")]
        [TestCase("surgnav:1?name=a&name=b")]
        [TestCase("surgnav:1?")]
        [TestCase("surgnav:1?name=a&host=b&poses=99999&surfaces=1&control=1&server=" + Key + "&secret=" + Key)]
        [TestCase("surgnav:1?name=a&host=b&poses=1&surfaces=1&control=1&server=AAAA&secret=" + Key)]
        [TestCase("surgnav:1?name=a&host=b&poses=1&surfaces=1&control=1&server=" + Key)]
        public void WhatIsNotWholeIsRefused(string text)
        {
            Assert.Throws<SettingsException>(() => ClientSettings.FromEnrolment(text));
        }
    }
}
