"""Architectures as Flax Linen modules, one architecture (or one small family) a file."""

from dlcourse.models.acting.q_network import QNetwork as QNetwork
from dlcourse.models.foundations import activations as activations
from dlcourse.models.foundations import backpropagation as backpropagation
from dlcourse.models.foundations import initializers as initializers
from dlcourse.models.foundations import logistic_regression as logistic_regression
from dlcourse.models.foundations import neuron as neuron
from dlcourse.models.foundations.mlp import MLP as MLP
from dlcourse.models.foundations.polynomial import Polynomial as Polynomial
from dlcourse.models.generative.gan import Discriminator as Discriminator
from dlcourse.models.generative.gan import Generator as Generator
from dlcourse.models.vision.alexnet import AlexNet as AlexNet
from dlcourse.models.vision.alexnet import AlexNetCIFAR as AlexNetCIFAR
from dlcourse.models.vision.cifar import CIFARModel1 as CIFARModel1
from dlcourse.models.vision.cifar import CIFARModel2 as CIFARModel2
from dlcourse.models.vision.cifar import CIFARModel3 as CIFARModel3
from dlcourse.models.vision.cnn import CNN as CNN
from dlcourse.models.vision.convolution import Conv as Conv
from dlcourse.models.vision.lenet import LeNet5 as LeNet5
from dlcourse.models.vision.resnet import ResNet as ResNet
from dlcourse.models.vision.resnet import ResNet18 as ResNet18
from dlcourse.models.vision.resnet import ResNet20 as ResNet20
from dlcourse.models.vision.resnet import ResNet32 as ResNet32
from dlcourse.models.vision.resnet import ResNet34 as ResNet34
from dlcourse.models.vision.resnet import ResNet50 as ResNet50
from dlcourse.models.vision.resnet import ResNet56 as ResNet56
from dlcourse.models.vision.unet import UNet as UNet
